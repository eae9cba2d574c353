---@meta reverst.crypto
-- For editors: the module is written in C (lua/module/crypto.c).

---@class reverst.crypto
local crypto = {}

--- Compares with a secret.  The time it takes depends on the length of what was
--- given alone.
---@param given string
---@param secret string
---@return boolean
function crypto.equal(given, secret) end

--- RFC 4648, section 4, with padding.
---@param bytes string
---@return string
function crypto.base64_encode(bytes) end

--- What no encoder makes is nil; padding may be left out.
---@param text string
---@return string|nil bytes
function crypto.base64_decode(text) end

--- Two lower-case digits for each byte.
---@param bytes string
---@return string
function crypto.hex(bytes) end

---@param bytes string
---@return string digest 32 bytes, not hexadecimal
function crypto.sha256(bytes) end

---@param key string
---@param bytes string
---@return string digest 32 bytes, not hexadecimal
function crypto.hmac_sha256(key, bytes) end

--- Bytes that nobody can guess.
---@param count integer at most 1048576
---@return string
function crypto.random(count) end

return crypto
