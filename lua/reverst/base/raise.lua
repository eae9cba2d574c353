-- Raises an error at the line that called into these modules: the mistake is
-- there.

---@param message string
return function(message)
  local level = 2
  local frame = debug.getinfo(level, "S")
  while frame and (frame.what == "C" or frame.source:match "^=reverst%.") do
    level = level + 1
    frame = debug.getinfo(level, "S")
  end
  error(message, frame and level or 0)
end
