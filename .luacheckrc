std = "lua54"
max_line_length = 100
unused_args = false
files["spec"] = { std = "lua54+busted" }
files["lua/annotations"] = { ignore = { "241" } }
exclude_files = { "build" }
