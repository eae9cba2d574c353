---@meta
-- For editors: what scripts hold of servers, clients and tasks; these are written
-- in C (lua/server/server.c, lua/client/client.c, lua/engine/spawn.c).  Once it
-- has ended, each method of a server or a client gives nil and "closed".

--- A server that reverst.server has started; it runs on without this.
---@class reverst.Server
local Server = {}

--- Where tunnel clients connect; with the port that it got where 0 was asked for.
---@return string address
function Server:tunnel_address() end

--- Where visitors connect, likewise; the first of several addresses.
---@return string address
function Server:http_address() end

--- All addresses where visitors connect.
---@return string[] addresses
function Server:http_addresses() end

--- Other groups and another route, as reverst.core takes them; scripts call
--- reverst.set_routing.
---@param routing table
---@return true|nil
---@return string|nil message
---@return string|nil code
function Server:set_routing(routing) end

--- A secret that only this server can derive: the same after a restart, for the
--- same label, as long as its private key, or secret_path, is the same.
---@param label string
---@return string|nil secret 32 bytes
---@return string|nil message
---@return string|nil code
function Server:derive_secret(label) end

---@return reverst.ServerStats
function Server:stats() end

--- Reads certificate and private key anew; bad ones are refused.
---@return true|nil
---@return string|nil message
---@return string|nil code
function Server:reload_certificates() end

--- The same from other paths, which take the place of those.
---@param certificate_path string
---@param private_key_path string
---@return true|nil
---@return string|nil message
---@return string|nil code
function Server:set_certificate(certificate_path, private_key_path) end

--- Listens at other addresses for visitors; what is under way finishes at those
--- before. Where it cannot, nothing changes.
---@param addresses string[]
---@return true|nil
---@return string|nil message
---@return string|nil code
function Server:set_http_addresses(addresses) end

---@param nanoseconds integer|false false: waits for the last request
---@return true|nil
---@return string|nil message
function Server:set_drain_timeout(nanoseconds) end

--- Has it log what core.set_log_level says.
---@return true|nil
---@return string|nil message
function Server:set_log_level() end

--- Asks authenticate about each tunnel of a group once more.
---@param group string
---@param nanoseconds integer over which they are spread
---@return true|nil
---@return string|nil message
---@return string|nil code
function Server:reauthenticate(group, nanoseconds) end

--- The tunnels that it has now.
---@return reverst.TunnelStatus[]|nil
---@return string|nil message
function Server:tunnels() end

--- What set_record was given last: how reloads know what runs.
---@return string|nil
function Server:record() end

---@param text string
---@return true|nil
---@return string|nil message
---@return string|nil code
function Server:set_record(text) end

--- Takes nothing new, lets requests under way finish, and ends.
function Server:drain() end

--- Ends at once.
function Server:close() end

---@class reverst.TunnelStatus
---@field group string
---@field id integer
---@field name string
---@field peer string
---@field weight integer
---@field labels table<string, string>
---@field active integer requests under way
---@field requests integer since it came up
---@field latency number|nil seconds to the response head, an average
---@field registered_at number seconds since 1970
---@field eligible boolean it gets requests now

--- Counters, by name.
---@alias reverst.ServerStats table<string, integer>

--- A client that reverst.client has started; it runs on without this.
---@class reverst.Client
local Client = {}

---@return boolean registered whether it is registered now
function Client:is_connected() end

--- Ends it.
function Client:close() end

--- A task that reverst.spawn has started; it runs on without this.
---@class reverst.Task
local Task = {}

--- Waits for its end.
---@return true|nil
---@return any result all that its function returned; or why it failed
---@return any ...
function Task:wait() end

--- Ends it, where it waits.
function Task:cancel() end

--- A request that a server routes; it is closed when the request is over.
---@class reverst.Request
local Request = {}

--- Adds a field to the response, whoever makes that.
---@param name string
---@param value string
function Request:add_response_header(name, value) end
