-- Fetching over TLS from servers that others made: openssl s_server, nginx.

local event = require "spec.event"
local fetch = require "spec.fetch"
local openssl_folder = require "openssl_folder"
local programs = require "programs"
local stream = require "spec.stream"

-- Certificates: NAME.crt, NAME.key, by ca.crt unless said otherwise
local script = [[
set -e
cd "$1"
ec="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
root() {
  openssl req -x509 $ec -days 3 -keyout $1.key -out $1.crt -subj /CN=$1 \
    -addext basicConstraints=critical,CA:TRUE \
    -addext keyUsage=critical,keyCertSign
}
# sign NAME EXTENSION [DATES]
sign() {
  openssl req $ec -keyout $1.key -out $1.csr -subj /CN=$1 $2
  openssl ca -batch -config ca.cnf -cert ca.crt -keyfile ca.key -in $1.csr \
    -out $1.crt -notext $3
}
printf '%s\n' '[ca]' 'default_ca=d' '[d]' 'database=db' 'new_certs_dir=.' 'serial=serial' \
  'default_md=sha256' 'default_days=3' 'policy=p' 'copy_extensions=copy' \
  'unique_subject=no' '[p]' 'commonName=supplied' >ca.cnf
: >db
echo 01 >serial
root ca
root stranger
both='subjectAltName=DNS:localhost,DNS:*.example.com,IP:127.0.0.1,IP:::1'
sign good "-addext $both"
sign name "-addext subjectAltName=DNS:localhost"
sign other "-addext subjectAltName=DNS:other.example,IP:192.0.2.1"
sign old "-addext $both" "-startdate 200101000000Z -enddate 200201000000Z"
sign early "-addext $both" "-startdate 20900101000000Z -enddate 20910101000000Z"
openssl req -x509 $ec -days 3 -keyout self.key -out self.crt -subj /CN=localhost \
  -addext $both
openssl req -x509 -newkey rsa:2048 -nodes -days 3 -keyout rsa.key -out rsa.crt \
  -subj /CN=localhost -addext $both
]]

local nginx_conf = [[
daemon off;
pid FOLDER/nginx.pid;
error_log stderr;
worker_processes 1;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path FOLDER/tmp;
  proxy_temp_path FOLDER/tmp;
  fastcgi_temp_path FOLDER/tmp;
  uwsgi_temp_path FOLDER/tmp;
  scgi_temp_path FOLDER/tmp;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_certificate FOLDER/good.crt;
  ssl_certificate_key FOLDER/good.key;
  server {
    listen unix:FOLDER/plain.sock;
    client_max_body_size 16m;
    location / { root FOLDER/www; dav_methods PUT; create_full_put_path on; }
  }
  server {
    listen 127.0.0.1:PORT ssl;
    client_max_body_size 16m;
    location / { proxy_pass http://unix:FOLDER/plain.sock; proxy_http_version 1.1; }
    location /seen { return 200 "$ssl_server_name $ssl_protocol $request_uri"; }
  }
}
]]

describe("a fetch over TLS", function()
  local folder, loop, fetcher, listener

  lazy_setup(function()
    folder = openssl_folder.make(script)
  end)

  lazy_teardown(function()
    openssl_folder.remove(folder)
  end)

  before_each(function()
    loop = event.loop()
    fetcher, listener = nil, nil
  end)

  after_each(function()
    if fetcher then
      loop:poll()
      fetcher:close()
      loop:wait(function()
        return fetcher:is_closed()
      end)
    end
    if listener then
      listener:close()
    end
    programs.end_all()
    loop:dispatch()
    assert.equal(0, loop:live_streams())
    assert.is_true(loop:finish())
  end)

  local function open(roots, options)
    options = options or {}
    options.ca_path = roots and folder .. "/" .. roots .. ".crt"
    fetcher = fetch.new(loop, options)
  end

  -- openssl s_server with a certificate; its port
  local function serve(name, ...)
    local server = programs.start { "openssl", "s_server", "-accept",
      "127.0.0.1:0", "-cert", folder .. "/" .. name .. ".crt", "-key",
      folder .. "/" .. name .. ".key", input = true, may_fail = true, ... }
    server.port = server:wait_for "^ACCEPT 127%.0%.0%.1:(%d+)"
    return server
  end

  local function finish(one)
    loop:wait(function()
      return one:is_done()
    end)
    return one:result()
  end

  local function start(server, path, options)
    options = options or {}
    options.url = ("https://%s:%s%s"):format(options.host or "localhost",
      server.port, path or "/")
    return assert(fetcher:start(options))
  end

  -- waits until openssl shows these bytes
  local function wait_for(server, text)
    programs.wait_until(function()
      loop:poll()
      return server:text "output":find(text, 1, true)
    end, text, 10)
  end

  -- a request, which is answered so
  local function ask(server, answer, options)
    local one = start(server, "/asked", options)
    wait_for(server, "GET /asked HTTP/1.1")
    server:write(answer)
    return finish(one)
  end

  local hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

  local function refused(server, options)
    local result = finish(start(server, "/", options))
    return result.error, result.message and result.message:match ":%d+: (.*)$"
  end

  local function check(sentence, body)
    it(sentence, function()
      if not folder then
        return pending "without openssl"
      end
      body()
    end)
  end

  local function check_nginx(sentence, body)
    check(sentence, function()
      if not os.execute "command -v nginx >/dev/null 2>&1" then
        return pending "without nginx"
      end
      body()
    end)
  end

  check("brings an answer, and keeps the connection", function()
    open "ca"
    local server = serve "good"
    assert.equal("hello", ask(server, hello).body)
    local one = start(server, "/again")
    wait_for(server, "GET /again HTTP/1.1")
    server:write "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain"
    assert.equal("again", finish(one).body)
    assert.is_nil(server:text "output":find("DONE", 1, true))
  end)

  for _, version in ipairs { "-tls1_2", "-tls1_3" } do
    check("speaks " .. version, function()
      open "ca"
      assert.equal("hello", ask(serve("good", version), hello).body)
    end)
  end

  check("knows RSA keys, also with TLS 1.2", function()
    open "rsa"
    assert.equal("hello", ask(serve("rsa", "-tls1_2"), hello).body)
  end)

  check("does not speak TLS 1.1", function()
    open "ca"
    local server = serve("good", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    local code, why = refused(server)
    assert.equal("REVERST_ERR_TLS", code)
    assert.equal("the other side speaks no TLS 1.2 or 1.3", why)
  end)

  check("agrees on HTTP/1.1", function()
    open "ca"
    local server = serve("good", "-alpn", "h2,http/1.1")
    assert.equal("hello", ask(server, hello).body)
    wait_for(server, "http/1.1")
  end)

  check("is refused by who speaks HTTP/2 only", function()
    open "ca"
    local code, why = refused(serve("good", "-alpn", "h2"))
    assert.equal("REVERST_ERR_TLS", code)
    assert.equal("the other side does not speak HTTP/1.1", why)
  end)

  check("says which name it wants", function()
    open "ca"
    -- the certificate for that name is the second one
    local server = serve("other", "-servername", "localhost", "-cert2",
      folder .. "/good.crt", "-key2", folder .. "/good.key")
    assert.equal("hello", ask(server, hello).body)
    assert.matches('Hostname in TLS extension: "localhost"',
      server:text "output")
  end)

  check("does not call an address a name", function()
    open "ca"
    local server = serve("good", "-servername", "localhost", "-cert2",
      folder .. "/other.crt", "-key2", folder .. "/other.key")
    assert.equal("hello", ask(server, hello, { host = "127.0.0.1" }).body)
    assert.is_nil(server:text "output":find("Hostname in TLS", 1, true))
  end)

  check("says which host was the wrong one", function()
    open "ca"
    local server = serve "other"
    local result = finish(start(server))
    assert.equal("REVERST_ERR_TLS", result.error)
    assert.equal("localhost:" .. server.port .. ": the certificate is for other "
      .. "names (its subject does not count)", result.message)
  end)

  for name, case in pairs {
    ["an address that the certificate lacks"] = { "name", "ca",
      "the certificate is for other names", { host = "127.0.0.1" } },
    ["another address"] = { "other", "ca",
      "the certificate is for other names", { host = "127.0.0.1" } },
    ["a certificate that has expired"] = { "old", "ca",
      "the certificate has expired" },
    ["a certificate from the future"] = { "early", "ca",
      "the certificate is not valid yet" },
    ["an unknown root"] = { "good", "stranger",
      "the certificate is not signed by anyone who is trusted here" },
    ["the system's roots, which do not know it"] = { "good", nil,
      "the certificate is not signed by anyone who is trusted here" },
    ["a self-signed certificate"] = { "self", "ca",
      "the certificate is not signed by anyone who is trusted here" },
  } do
    check("refuses " .. name, function()
      open(case[2])
      local code, why = refused(serve(case[1]), case[4])
      assert.equal("REVERST_ERR_TLS", code)
      assert.equal(case[3], why)
    end)
  end

  check("believes a self-signed certificate that is its root", function()
    open "self"
    assert.equal("hello", ask(serve "self", hello).body)
  end)

  check("may have roots of its own", function()
    open "stranger"
    local server = serve "good"
    local roots = folder .. "/ca.crt"
    assert.equal("REVERST_ERR_TLS", (refused(server)))
    assert.equal("hello", ask(server, hello, { ca_path = roots }).body)
    local one = start(server, "/again", { ca_path = roots })
    wait_for(server, "GET /again HTTP/1.1")
    server:write(hello)
    assert.equal("hello", finish(one).body)
    assert.equal(2, select(2, fetcher:counts()))
  end)

  check("says that its roots cannot be read", function()
    open "missing"
    local result = finish(assert(fetcher:start { url = "https://localhost:1/" }))
    assert.equal("REVERST_ERR_TLS", result.error)
    assert.equal("localhost:1: the roots to check it by cannot be read",
      result.message)
    assert.equal(1, select(3, fetcher:counts()))
  end)

  describe("to something else", function()
    local function listen()
      open "ca"
      listener = stream.listen(loop, "127.0.0.1:0")
      return { port = listener:address():match "%d+$" }
    end

    local function accept()
      loop:wait(function()
        return listener:count() > 0
      end)
      return listener:accept()
    end

    check("says that no TLS is spoken there", function()
      local one = start(listen())
      local connection = accept()
      connection:write "HTTP/1.1 400 Bad Request\r\n\r\n"
      local result = finish(one)
      assert.equal("REVERST_ERR_TLS", result.error)
      assert.matches("the other side does not speak TLS here$", result.message)
      loop:wait(function()
        return connection:state().closed
      end)
    end)

    check("says that it closed early", function()
      local server = listen()
      local one = start(server)
      local connection = accept()
      loop:wait(function()
        return #connection:received() > 0
      end)
      connection:close()
      local result = finish(one)
      assert.equal("REVERST_ERR_TLS", result.error)
      assert.matches("closed in the midst of the handshake$", result.message)
    end)

    check("does not wait for a handshake forever", function()
      local one = start(listen(), "/", { connect_timeout = 50 })
      local connection = accept()
      local result = finish(one)
      assert.equal("REVERST_ERR_TIMEOUT", result.error)
      assert.matches("no connection within 50 ms$", result.message)
      loop:wait(function()
        return connection:state().closed
      end)
    end)

    check("may be late at the moment when its connection is", function()
      for _ = 1, 3 do
        local one = start(listener and { port = listener:address():match "%d+$" }
          or listen(), "/", { connect_timeout = 30, timeout = 30 })
        local from = os.clock()
        loop:poll()
        loop:poll()
        while os.clock() - from < 0.06 do end -- both are due by now
        local result = finish(one)
        assert.equal("REVERST_ERR_TIMEOUT", result.error)
        local connection = accept()
        loop:wait(function()
          return connection:state().closed
        end)
      end
    end)

    check("may be cancelled within the handshake", function()
      local one = start(listen())
      local connection = accept()
      loop:wait(function()
        return #connection:received() > 0
      end)
      one:cancel()
      loop:wait(function()
        return connection:state().closed
      end)
      assert.equal(0, (fetcher:counts()))
    end)

    check("may end with its fetcher within the handshake", function()
      local one = start(listen())
      local connection = accept()
      fetcher:close()
      loop:wait(function()
        return fetcher:is_closed()
      end)
      fetcher = nil
      assert.is_false(one:is_done())
      loop:wait(function()
        return connection:state().closed
      end)
    end)

    check("does not believe garbage after a record", function()
      local one = start(listen())
      accept():write("\22\3\3\255\255" .. ("x"):rep(70000))
      assert.equal("REVERST_ERR_TLS", finish(one).error)
    end)
  end)

  for _, version in ipairs { "-tls1_2", "-tls1_3" } do
    check("takes a body that ends with the session " .. version, function()
      open "ca"
      local server = serve("good", version, "-www") -- of HTTP/1.0
      local result = finish(start(server, "/"))
      assert.is_nil(result.message)
      assert.matches("</HTML>%s*$", result.body)
    end)

    check("notices a body that was cut off " .. version, function()
      open "ca"
      local server = serve("good", version)
      local one = start(server, "/asked")
      wait_for(server, "GET /asked HTTP/1.1")
      server:write "HTTP/1.1 200 OK\r\n\r\na part of it"
      server:close_input() -- openssl then closes without close_notify
      local result = finish(one)
      assert.equal("REVERST_ERR_CLOSED", result.error)
      assert.matches("it broke off its answer$", result.message)
    end)
  end

  check("takes a whole body from who says no goodbye", function()
    open "ca"
    local server = serve "good"
    local one = start(server, "/asked")
    wait_for(server, "GET /asked HTTP/1.1")
    server:write(hello)
    server:close_input()
    assert.equal("hello", finish(one).body)
  end)

  for _, way in ipairs { "shutdown", "close" } do
    check("says goodbye at " .. way, function()
      local server = serve "good"
      local tls = stream.connect(loop, "127.0.0.1:" .. server.port)
      loop:wait(function()
        return tls:state().connected
      end)
      tls:secure(loop, folder .. "/ca.crt", "localhost")
      loop:wait(function()
        return tls:state().connected
      end)
      tls:write "last words"
      loop:poll()
      tls[way](tls)
      wait_for(server, "last words")
      wait_for(server, "DONE") -- else it says ERROR
      if way == "shutdown" then
        server:close_input()
        loop:wait(function()
          return tls:state().ended or tls:state().closed
        end)
        if not tls:state().closed then
          tls:abort()
        end
      end
      loop:wait(function()
        return tls:state().closed
      end)
      assert.is_nil(server:text "output":find("ERROR", 1, true))
    end)
  end

  describe("with nginx", function()
    local server

    local function serve_nginx()
      open("ca", { max_connections = 8 })
      server = { port = require "spec.process".free_port "tcp" }
      os.execute(("mkdir -p %s/www %s/tmp; chmod 777 %s %s/www %s/tmp"):format(
        folder, folder, folder, folder, folder))
      local file = assert(io.open(folder .. "/nginx.conf", "w"))
      file:write((nginx_conf:gsub("%u%u%u%u+", { PORT = tostring(server.port),
        FOLDER = folder })))
      file:close()
      server.program = programs.start { "nginx", "-c", folder .. "/nginx.conf",
        "-p", folder, may_fail = true }
      programs.wait_until(function()
        loop:poll()
        return finish(start(server, "/seen")).status == 200
      end, "nginx")
    end

    check_nginx("moves large bodies both ways", function()
      serve_nginx()
      local body = ("0123456789abcdef"):rep(262144) -- 4 MiB
      local result = finish(start(server, "/large",
        { method = "PUT", body = body }))
      assert.equal(201, result.status)
      result = finish(start(server, "/large", { max_body = #body }))
      assert.is_true(body == result.body)
      assert.equal("REVERST_ERR_LIMIT",
        finish(start(server, "/large", { max_body = #body - 1 })).error)
    end)

    check_nginx("holds back who sends faster than is read", function()
      serve_nginx()
      local size = 4 * 1024 * 1024
      assert.equal(201, finish(start(server, "/held",
        { method = "PUT", body = ("x"):rep(size) })).status)
      local tls = stream.connect(loop, "127.0.0.1:" .. server.port)
      loop:wait(function()
        return tls:state().connected
      end)
      tls:secure(loop, folder .. "/ca.crt", "localhost")
      loop:wait(function()
        return tls:state().connected
      end)
      tls:pause_after(10000)
      tls:write "GET /held HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
      loop:wait(function()
        return #tls:received() >= 10000
      end)
      local before = #tls:received()
      for _ = 1, 100 do
        finish(start(server, "/seen")) -- time passes
      end
      assert.equal(before, #tls:received())
      assert.is_true(before <= 32768)
      tls:set_reading(true)
      loop:wait(function()
        return tls:state().ended
      end)
      assert.is_true(#tls:received() > size)
      tls:close()
      loop:wait(function()
        return tls:state().closed
      end)
      assert.is_nil(tls:state().error)
    end)

    check_nginx("may end at any moment", function()
      serve_nginx()
      local body = ("x"):rep(300000)
      assert.equal(201, finish(start(server, "/cut",
        { method = "PUT", body = body })).status)
      local random, under_way, ends = 1, {}, {}
      local function next_random(below) -- the same at every run
        random = random * 1103515245 + 12345 & 0x7fffffff
        return (random >> 8) % below
      end
      for i = 1, 400 do
        local one = start(server, "/cut", { timeout = 5 + next_random(100),
          method = next_random(2) == 0 and "PUT" or "GET",
          body = next_random(2) == 0 and body or nil })
        under_way[#under_way + 1] = one
        for _ = 1, next_random(3) do
          loop:poll()
        end
        if i % 3 == 0 then
          one = table.remove(under_way, 1 + next_random(#under_way))
          if not one:is_done() then
            one:cancel()
          end
        end
      end
      for _, one in ipairs(under_way) do
        local result = finish(one)
        ends[result.error or result.status // 100] = true
      end
      ends[2], ends.REVERST_ERR_TIMEOUT = nil, nil
      assert.same({}, ends)
      loop:poll()
      local live = fetcher:counts() -- kept connections: TCP, TLS, HTTP
      assert.is_true(live <= 3 * 8)
    end)

    check_nginx("is one of three hundred", function()
      serve_nginx()
      local fetches = {}
      for i = 1, 300 do
        fetches[i] = start(server, "/seen/" .. i)
      end
      for i = 1, 300 do
        assert.equal("localhost TLSv1.3 /seen/" .. i, finish(fetches[i]).body)
      end
    end)
  end)
end)
