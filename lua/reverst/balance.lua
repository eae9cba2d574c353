-- Which tunnel gets a request.  Each function here returns a policy: something
-- that is called with the tunnels that may take the request, a sequence that is
-- never empty, and with the request, and returns one of them.  It cannot wait. A
-- plain function serves as well: see first in balance/even.lua.

local even = require "reverst.balance.even"
local keyed = require "reverst.balance.keyed"
local lenient = require "reverst.balance.lenient"
local policy = require "reverst.balance.policy"
local sticky = require "reverst.balance.sticky"
local text = require "reverst.base.text"

---@class reverst.Tunnel
---@field id integer no other tunnel of this process ever has it
---@field name string what the client or authenticate called it, or ""
---@field peer string "203.0.113.9:40112"
---@field weight integer 1 unless the client or authenticate said otherwise
---@field labels table<string, string>
---@field metadata table<string, string>
---@field active integer requests under way
---@field requests integer requests since it came up
---@field latency number|nil seconds to the response head, a moving average
---@field registered_at number seconds since 1970

---@alias reverst.Policy fun(tunnels: reverst.Tunnel[], request: reverst.Request): reverst.Tunnel

---@class reverst.balance
local balance = {
  round_robin = even.round_robin,
  random = even.random,
  random_choose = even.random_choose,
  first = even.first,
  least_conn = even.least_conn,
  weighted_round_robin = even.weighted_round_robin,
  ip_hash = keyed.ip_hash,
  uri_hash = keyed.uri_hash,
  header = keyed.header,
  query = keyed.query,
  cookie = sticky.cookie,
  fallback = lenient.fallback,
}

for _, name in ipairs(policy.names) do
  policy.constructors[name] = balance[name]
end

balance.of = policy.of
balance.kind_of = policy.kind_of
balance.fingerprint = policy.fingerprint
balance.as_function = policy.as_function
balance.set_secret = sticky.set_secret

return setmetatable(balance, {
  __index = function(_, name)
    error(("balance.%s does not exist%s"):format(text.printable(name),
      text.suggestion(name, policy.names)), 2)
  end,
})
