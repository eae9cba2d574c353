#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Says who may join: 204 for a known token of the group, else 403."""

import hmac
import http.server
import sys

TOKENS = {"app": "s3cret"}  # by group


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        group = self.headers.get("X-Reverst-Tunnel-Group", "")
        given = self.headers.get("Authorization", "")
        token = TOKENS.get(group)
        known = token and hmac.compare_digest(given, "Bearer " + token)
        self.send_response(204 if known else 403)
        self.end_headers()


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    print("listening on 127.0.0.1:%d" % server.server_port, flush=True)
    server.serve_forever()
