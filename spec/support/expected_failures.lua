-- Cells of the interoperability matrix that a peer cannot do.  An unexpected
-- success fails, too, but for those that are a matter of timing.

local closes = { sometimes = "closes the tunnel at the request after one that "
  .. "was reset before its head was read" }

return {
  ["our client on the go server"] = {
    ["keeps the tunnel when the application misbehaves"] = closes,
  },
  ["the original client on our server"] = {
    ["shows a visitor that the application misbehaves"] =
      "ends a broken answer as if it were whole",
  },
  ["our client on the original server"] = {
    ["keeps the tunnel when the application misbehaves"] = closes,
    ["passes on server-sent events one by one"] = "buffers responses",
    ["echoes an upload while it lasts"] = "buffers responses",
    ["echoes 10 MB"] = "loses bytes of an upload once the response has begun",
  },
}
