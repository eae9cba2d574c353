-- The tables of errors and of failures.

local text = require "spec.text"

describe("an error", function()
  it("has a name and a text", function()
    assert.same({ "REVERST_ERR_NO_MEMORY", "out of memory" }, { text.error(-1) })
    assert.same({ "REVERST_ERR_AGAIN", "not possible right now; try again later" },
      { text.error(-3) })
  end)

  it("that nobody knows has them too", function()
    assert.same({ "REVERST_ERR_UNKNOWN", "unknown error" }, { text.error(-9999) })
    assert.same({ "REVERST_OK", "success" }, { text.error(0) })
  end)
end)

describe("the table of failures", function()
  local failures = text.failures()

  it("has a text for every status that is shown", function()
    for word, row in pairs(failures) do
      local shown = row.status >= 400
      assert.equal(shown, row.text ~= "", word)
      assert.is_true(shown or word == "none" or word == "cancelled", word)
    end
  end)

  it("lets only those be retried that can have had no effect twice", function()
    local retried = {}
    for word, row in pairs(failures) do
      if row.retry ~= "never" then
        retried[word] = row.retry
      end
    end
    assert.same({ refused = "safe", origin_unreachable = "safe",
      tunnel_lost = "idempotent" }, retried)
  end)

  it("closes the connection after every malformed request", function()
    assert.is_true(failures.request_malformed.closes)
    assert.is_true(failures.unsupported.closes)
    assert.is_false(failures.no_tunnel.closes)
  end)

  it("rejects in HTTP/3 what may be sent elsewhere", function()
    for word, row in pairs(failures) do
      if row.retry == "safe" then
        assert.equal(0x10b, row.h3_code, word)
      end
    end
  end)
end)
