"""Stands in for the API while a backup is restored: answers everything with 503 and a sentence.

Shops and people learn that they should come again; nothing is taken that would be lost.
Run as ``python -m starter.backup.notice``.
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from models.settings import Settings

SENTENCE = "A backup is being restored; try again in a few minutes."
_ANSWER = json.dumps({"error": SENTENCE, "problems": []}).encode()
_READ = 1024 * 1024


class _Handler(BaseHTTPRequestHandler):
    server_version = "Zahltag"
    sys_version = ""
    timeout = 10

    def _come_again(self) -> None:
        # Read what was sent: who is cut off while sending would not see the answer.
        length = self.headers.get("Content-Length", "0")
        left = int(length) if length.isdecimal() else 0
        while left > 0 and (part := self.rfile.read(min(left, _READ))):
            left -= len(part)
        self.send_response(503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(_ANSWER)))
        self.send_header("Retry-After", "60")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(_ANSWER)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _come_again  # noqa: N815 - the server's names

    def log_message(self, *_: object) -> None:
        """Write no log: addresses name customers and invoices."""


if __name__ == "__main__":
    settings = Settings()
    ThreadingHTTPServer((settings.api_host, settings.api_port), _Handler).serve_forever()
