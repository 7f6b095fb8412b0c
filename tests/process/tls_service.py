# SPDX-License-Identifier: MIT
"""
A service over TLS that holds up its first exchange where a test wants it.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading

import trustme

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n"
BODY = b'{"code":200}'
assert len(BODY) == 12


class TlsService:
    """
    Answers every request over TLS, the first one when told to.

    Args:
        context: Of the server.

        hold: "read": it reads nothing of the first request's body until told
            to; "answer": it sends half of the first answer before.
    """

    def __init__(self, context, hold):
        self._context = context
        self._hold = hold
        self.go_on = threading.Event()
        self.reached = threading.Event()
        self.problems = []
        self.connections = []
        self._first = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        # So that a body fills it, and the client waits inside of a write.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                thread = threading.Thread(
                    target=self._serve, args=(sock,), daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def _serve(self, sock):
        tags = []
        self.connections.append(tags)
        try:
            with self._context.wrap_socket(sock, server_side=True) as tls:
                while self._exchange(tls, tags):
                    pass
        except OSError as error:
            self.problems.append(repr(error))

    def _exchange(self, tls, tags):
        first, self._first = self._first, False
        head = b""
        while b"\r\n\r\n" not in head:
            part = tls.recv(1)
            if not part:
                return False
            head += part
        if first and self._hold == "read":
            self.reached.set()
            self.go_on.wait(30)
        length = int(head.lower().split(b"content-length:")[1].split()[0])
        body = b""
        while len(body) < length:
            body += tls.recv(65536)
        tags += [
            event["event_properties"]["tag"]
            for event in json.loads(body)["events"]
        ]
        tls.sendall(ANSWER + BODY[:6])
        if first and self._hold == "answer":
            self.reached.set()
            self.go_on.wait(30)
        tls.sendall(BODY[6:])
        return True

    def stop(self):
        """
        Listen no longer; wait for the connections to end.
        """
        with contextlib.suppress(OSError):  # Stopped before.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(30)


@contextlib.contextmanager
def services(path):
    """
    Start services, by how they hold, and stop them all; *path* is where the
    certificate is written that a program has to trust.
    """
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    ca.cert_pem.write_to_path(path)
    started = []

    def start(hold):
        started.append(TlsService(context, hold))
        return started[-1]

    try:
        yield start
    finally:
        for one in started:
            one.go_on.set()
            one.stop()
