-- Spans: looking at bytes.

local text = require "spec.text"

describe("a span", function()
  it("equals another without case of ASCII letters only", function()
    assert.is_true(text.equal_nocase("Content-LENGTH", "content-length"))
    assert.is_true(text.equal_nocase("", ""))
    for _, pair in ipairs { { "a", "b" }, { "a", "aa" }, { "@", "`" },
      { "[", "{" }, { "\xc4", "\xe4" }, { "a\0a", "a\0b" } } do
      assert.is_false(text.equal_nocase(pair[1], pair[2]))
    end
  end)

  it("is trimmed of blanks and tabs at both ends", function()
    assert.equal("a \t b", text.trim " \t a \t b\t ")
    assert.equal("", text.trim " \t ")
    assert.equal("\n", text.trim " \n ")
  end)

  it("is split at commas, without empty elements", function()
    assert.same({ "a", "b c", "d" }, text.elements ",, a ,b c,\t,d,")
    assert.same({}, text.elements "")
    assert.same({}, text.elements " , ")
  end)

  it("is a number if it is all digits", function()
    assert.equal(0, text.to_uint "0")
    assert.equal(12, text.to_uint "0012")
    assert.equal(math.maxinteger, text.to_uint "9223372036854775807")
    for _, bad in ipairs { "", " 1", "1 ", "+1", "-1", "1a", "0x1", "1,2",
      "9223372036854775808", "18446744073709551616", "99999999999999999999" } do
      assert.is_nil(text.to_uint(bad))
    end
  end)
end)
