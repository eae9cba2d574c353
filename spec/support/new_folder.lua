-- An empty folder for the files of one spec, which removes it.

return function()
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir " .. folder))
  return folder
end
