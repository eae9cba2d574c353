---@meta
-- For editors: what scripts hold of servers, clients and tasks; these are written
-- in C (lua/server.c, lua/client.c, lua/spawn.c).  Once it has ended, each method
-- of a server or a client gives nil and "closed".

--- A server that reverst.server has started; it runs on without this.
---@class reverst.Server
local Server = {}

--- Where tunnel clients connect; with the port that it got where 0 was asked for.
---@return string address
function Server:tunnel_address() end

--- Where visitors connect, likewise.
---@return string address
function Server:http_address() end

--- A group more, checked as in a configuration.
---@param group table
---@return true|nil
---@return string|nil message
---@return string|nil code
function Server:add_group(group) end

---@return reverst.ServerStats
function Server:stats() end

--- Reads certificate and private key anew; bad ones are refused.
---@return true|nil
---@return string|nil message
---@return string|nil code
function Server:reload_certificates() end

--- Takes nothing new, lets requests under way finish, and ends.
function Server:drain() end

--- Ends at once.
function Server:close() end

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
