# SPDX-License-Identifier: MIT
"""
A raw server for the transport: answers any bytes, or misbehaves as told.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections import deque

import pytest

from ringamp.options import Options
from ringamp.transport.http import HTTPTransport
from ringamp.transport.payload import Envelope

KEY = "0123456789abcdef0123456789abcdef"


def answer(status=200, body=b'{"code":200}', headers=()):
    """
    Spell an HTTP answer.
    """
    lines = [
        f"HTTP/1.1 {status} Words",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Line:
    """
    One connection, as a misbehaviour sees it.
    """

    def __init__(self, sock, stopped):
        self.sock = sock
        self.stopped = stopped

    def send(self, data):
        """
        Answer these bytes.
        """
        self.sock.sendall(data)

    def drip(self, data, every):
        """
        Answer byte by byte, one every so many seconds.
        """
        for byte in data:
            self.sock.sendall(bytes([byte]))
            if self.stopped.wait(every):
                return

    def hang(self):
        """
        Answer nothing until the server stops.
        """
        self.stopped.wait()

    def reset(self):
        """
        Close with a RST.
        """
        linger = struct.pack("ii", 1, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close()

    def close(self):
        """
        Close at once, without a TLS goodbye.
        """
        self.sock.close()


class RawServer:
    """
    Listens on 127.0.0.1; every request takes the next script.

    A script is bytes to answer, or is called with the `Line`. Without one
    left the answer is a plain success. *connections* counts, *requests* keeps
    (head, body).
    """

    def __init__(self, *scripts, tls=None):
        self.scripts = deque(scripts)
        self.tls = tls
        self.connections = 0
        self.requests = []
        self.stopped = threading.Event()
        self.ended = threading.Semaphore(0)
        self._open = []
        self._threads = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._start(self._accept)

    @property
    def url(self):
        """
        Where it is.
        """
        scheme = "https" if self.tls else "http"
        host = "localhost" if self.tls else "127.0.0.1"
        return f"{scheme}://{host}:{self.port}/2/httpapi"

    def _start(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(sock)
            self.connections += 1
            self._start(self._serve, sock)

    def _serve(self, sock):
        with contextlib.suppress(OSError):
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            with sock:
                while self._read(sock):
                    script = self.scripts.popleft() if self.scripts else b""
                    if callable(script):
                        script(Line(sock, self.stopped))
                    else:
                        sock.sendall(script or answer())
        self.ended.release()

    def _read(self, sock):
        data = b""
        while b"\r\n\r\n" not in data:
            chunk = sock.recv(65536)
            if not chunk:
                return False
            data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split()[0])
        while len(body) < length:
            body += sock.recv(65536)
        self.requests.append((head, body))
        return True

    def stop(self):
        """
        End all connections and threads.
        """
        self.stopped.set()
        # close() alone does not wake a thread that waits in accept or recv.
        for sock in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()


@pytest.fixture
def serve():
    """
    Start servers that stop when the test ends.
    """
    servers = []

    def start(*scripts, tls=None):
        servers.append(RawServer(*scripts, tls=tls))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def spell():
    """
    Spell HTTP answers.
    """
    return answer


@pytest.fixture
def post():
    """
    Send one event to a URL, through one transport a test.
    """
    transports = {}

    def send(url, timeout=30.0, event=None):
        options = Options.build(server_url=url)
        transport = transports.setdefault(0, HTTPTransport(options))
        payload = Envelope(KEY, options).payload(
            [event or {"event_type": "a", "user_id": "user-1"}]
        )
        payload.timeout = timeout
        return transport.send_payload(payload)

    send.transports = transports
    yield send
    for transport in transports.values():
        transport.close()


@pytest.fixture
def make_transport():
    """
    Make transports that were asked to pack, and close them at the end.
    """
    made = []

    def make(url, compression="gzip"):
        options = Options.build(server_url=url, compression=compression)
        made.append(HTTPTransport(options))
        return made[-1]

    yield make
    for transport in made:
        transport.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """
    A certificate authority of this test run: server context and CA file.
    """
    trustme = pytest.importorskip("trustme")
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return context, path


@pytest.fixture
def trusted_tls(authority, monkeypatch):
    """
    A server context whose authority this process trusts.
    """
    context, path = authority
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return context


@pytest.fixture
def untrusted_tls(authority):
    """
    A server context whose authority nobody trusts.
    """
    return authority[0]
