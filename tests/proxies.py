# SPDX-License-Identifier: MIT
"""
Servers that stand in for a proxy which cannot read gzip: real HTTP, over a
real socket.

`Proxy` refuses packed bodies and hands plain ones to a `Collector`, whose
answer it passes on, as a reverse proxy does.
"""

from __future__ import annotations

import contextlib
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HTML = b"<html><body>Bad Request</body></html>"


class Handler(BaseHTTPRequestHandler):
    """
    One request.
    """

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        """
        Refuse what is packed, pass on what is not.
        """
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers["Content-Length"]))
        coding = self.headers.get("Content-Encoding")
        with proxy.lock:
            proxy.seen.append((coding, len(body)))
        if coding is not None and proxy.refusal is not None:
            if proxy.gate is not None:
                proxy.gate.wait(30)
            self.say(proxy.refusal, "text/html", HTML)
            return
        headers = {"Content-Type": "application/json"}
        if coding is not None:
            headers["Content-Encoding"] = coding
        behind = HTTPConnection("127.0.0.1", proxy.collector.port, timeout=10)
        with contextlib.closing(behind):
            behind.request("POST", self.path, body, headers)
            answer = behind.getresponse()
            self.say(answer.status, "application/json", answer.read())

    def say(self, status, kind, body):
        """
        Answer.
        """
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """
        Say nothing.
        """


class Proxy:
    """
    A proxy before a collector.

    Args:
        collector: Where plain bodies go.

        refusal: The status for packed ones; None passes them on.

        gate: Packed bodies are refused when so many have come (a Barrier).

    Attributes:
        collector: The one behind it.

        seen: The coding and the bytes of each body, as read off the socket.
    """

    def __init__(self, collector, refusal=400, gate=None):
        self.collector = collector
        self.refusal = refusal
        self.gate = gate
        self.lock = threading.Lock()
        self.seen = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def url(self):
        """
        Where it is.
        """
        return f"http://127.0.0.1:{self._server.server_port}/2/httpapi"

    @property
    def codings(self):
        """
        The codings of the bodies, in the order of their arrival.
        """
        return [coding for coding, _ in self.seen]

    @property
    def bytes_read(self):
        """
        Bytes of all bodies.
        """
        return sum(size for _, size in self.seen)

    def stop(self):
        """
        End it.
        """
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)
