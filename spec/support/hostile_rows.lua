-- What a hostile tunnel sends once it was accepted, in hex, and what becomes of
-- it: the rows of the error table of our HTTP/3 sessions, as a requester.

local rows = {}

-- the type of a control stream, and empty SETTINGS
local control = "000400"

-- HTTP/3 and QPACK error codes (RFC 9114 section 8.1, RFC 9204 section 6)
local stream_creation, closed_critical = 0x103, 0x104
local frame_unexpected, frame_error, excessive = 0x105, 0x106, 0x107
local id_error, settings_error, missing_settings = 0x108, 0x109, 0x10a
local encoder_error, decoder_error = 0x201, 0x202

--- On uni streams: name, code of the close, the streams; ended: with FIN.
rows.control = {
  { "a control stream that begins with GOAWAY", missing_settings, "00070100" },
  { "a second SETTINGS", frame_unexpected, control .. "0400" },
  { "DATA on the control stream", frame_unexpected, control .. "000161" },
  { "HEADERS on the control stream", frame_unexpected, control .. "0100" },
  { "PUSH_PROMISE on the control stream", frame_unexpected, control .. "050100" },
  { "frame type 0x02 of HTTP/2", frame_unexpected, control .. "0200" },
  { "frame type 0x06 of HTTP/2", frame_unexpected, control .. "0600" },
  { "frame type 0x08 of HTTP/2", frame_unexpected, control .. "0800" },
  { "frame type 0x09 of HTTP/2", frame_unexpected, control .. "0900" },
  { "MAX_PUSH_ID", frame_unexpected, control .. "0d0100" },
  { "PRIORITY_UPDATE", frame_unexpected, control .. "800f0700020075" },
  { "SETTINGS that end within a setting", frame_error, "00040101" },
  { "an empty GOAWAY", frame_error, control .. "0700" },
  { "a GOAWAY that is too long", frame_error, control .. "07020000" },
  { "a setting of HTTP/2", settings_error, "0004020200" },
  { "a setting twice", settings_error, "00040401000100" },
  { "ENABLE_CONNECT_PROTOCOL of 2", settings_error, "0004020802" },
  { "SETTINGS of 5 000 bytes", excessive, "00045388" },
  { "a push stream", id_error, control, "0100" },
  { "a GOAWAY with a growing id", id_error, control .. "070104070108" },
  { "the end of the control stream", closed_critical, control, ended = true },
  { "a second control stream", stream_creation, control, control },
  { "a second encoder stream", stream_creation, control, "02", "02" },
  { "a second decoder stream", stream_creation, control, "03", "03" },
  { "a capacity of the dynamic table", encoder_error, control, "0221" },
  { "a section acknowledgement", decoder_error, control, "0380" },
}

--- On uni streams, and harmless.
rows.harmless = {
  { "an unknown frame", control .. "2103616263" },
  { "an unknown setting", "000404210121" .. "01" },
  { "an unknown stream", control, "21616263" },
  { "a capacity of 0 and a stream cancellation", control, "0220", "0344" },
  { "CANCEL_PUSH", control .. "030100" },
}

-- HEADERS with ":status: 200" from the static table
local ok = "01030000d9"
rows.ok = ok

--- As the answer to a request: the exchange fails, the next one succeeds.
rows.answer = {
  { "nothing", "" },
  { "DATA before HEADERS", "000161" },
  { "a head without :status", "01020000" },
  { "only an informational head", "01030000d8" },
  { "a frame that ends too early", "01050000d9" },
  { "a reference to the dynamic table", "0103000080" },
  { "a section without its prefix", "0100" },
  { "more bytes than Content-Length", "01040000d9c4" .. "000161" },
  { "upper case in a field's name", "01090000d9234162630178" },
  { "an unknown pseudo-field", "01090000d9233a62630178" },
  { ":status twice", "01040000d9d9" },
  { "a pseudo-field after a regular one", "01040000c4d9" },
  { "a line break in a value", "010a0000d923616263020d0a" },
  { "a head of 80 KiB and more", "0180014001" },
}

--- As the answer, after a head: the visitor sees that it is not whole.
rows.broken = {
  { "DATA after trailers", ok .. "01020000" .. "000161" },
  { "HEADERS after trailers", ok .. "01020000" .. "01020000" },
  { "a pseudo-field in trailers", ok .. ok },
  { "a DATA frame that ends too early", ok .. "000561" },
}

--- As the answer: name, code of the close of the whole connection, hex.
rows.fatal = {
  { "SETTINGS", frame_unexpected, "0400" },
  { "GOAWAY", frame_unexpected, "070100" },
  { "CANCEL_PUSH", frame_unexpected, "030100" },
  { "MAX_PUSH_ID", frame_unexpected, "0d0100" },
  { "frame type 0x02 of HTTP/2", frame_unexpected, "0200" },
  { "PUSH_PROMISE", id_error, "050100" },
}

return rows
