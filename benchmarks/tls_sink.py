# SPDX-License-Identifier: MIT
"""
A server behind TLS in a process of its own: it reads requests, does not look
at them, and answers 200.

    with TLSSink() as sink:
        post_to(sink.url)

Its certificate is of an authority made for the occasion, which this process
trusts meanwhile by the environment variable SSL_CERT_FILE.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import final

import trustme

BUFFER_BYTES = 256 * 1024
LENGTH = b"content-length:"
ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    b'content-length: 12\r\n\r\n{"code":200}'
)
TRUSTED = "SSL_CERT_FILE"
STOP_SECONDS = 5


@final
class TLSSink:
    """
    The server, from the side of whoever starts it.

    Attributes:
        url: Where it is.
    """

    def __init__(self) -> None:
        self.url = ""
        self._trusted_before = os.environ.get(TRUSTED)

    def __enter__(self) -> TLSSink:
        authority = trustme.CA()
        self._folder = TemporaryDirectory()
        folder = Path(self._folder.name)
        trusted, own = folder / "ca.pem", folder / "own.pem"
        authority.cert_pem.write_to_path(trusted)
        certificate = authority.issue_cert("localhost")
        certificate.private_key_and_cert_chain_pem.write_to_path(own)
        os.environ[TRUSTED] = str(trusted)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.tls_sink", str(own)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101 - asked for above.
        port = int(stdout.readline())
        self.url = f"https://localhost:{port}/2/httpapi"
        return self

    def __exit__(self, *_: object) -> None:
        # The end of its stdin is the child's sign to stop.
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait(STOP_SECONDS)
        self._folder.cleanup()
        if self._trusted_before is None:
            del os.environ[TRUSTED]
        else:
            os.environ[TRUSTED] = self._trusted_before


class Connection(asyncio.BufferedProtocol):
    """
    One connection. Requests come one after the other, each with its length.
    """

    def __init__(self) -> None:
        self._buffer = bytearray(BUFFER_BYTES)
        self._head = b""
        self._left = 0
        self._transport: asyncio.Transport

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        """
        Begin.
        """
        self._transport = transport

    def get_buffer(self, _: int) -> bytearray:
        """
        Return where the next bytes go.
        """
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """
        Answer when a body is whole.
        """
        if self._left:
            self._left -= nbytes
        else:
            self._head += self._buffer[:nbytes]
            head, found, body = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            _, _, rest = head.lower().partition(LENGTH)
            self._left = int(rest.split(b"\r\n")[0]) - len(body)
            self._head = b""
        if self._left == 0:
            self._transport.write(ANSWER)


async def serve(certificate: str) -> None:
    """
    Serve until stdin ends; tell the port on stdout.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
