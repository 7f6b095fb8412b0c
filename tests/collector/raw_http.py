# SPDX-License-Identifier: MIT
"""
HTTP requests to the byte, for what no client library would send.
"""

import contextlib
import email
import socket
from typing import NamedTuple

JSON = ("Content-Type", "application/json")


class Said(NamedTuple):
    """
    An answer: its status, its headers, and its body.
    """

    status: int
    headers: email.message.Message
    body: bytes


def exchange(port, request):
    """
    Send the bytes of *request*; return the answer to them.
    """
    address = ("127.0.0.1", port)
    with socket.create_connection(address, timeout=30) as connection:
        # One that is refused early may not be read to its end.
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
        said = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = said.partition(b"\r\n\r\n")
    status, _, fields = head.partition(b"\r\n")
    headers = email.message_from_bytes(fields + b"\r\n\r\n")
    return Said(int(status.split()[1]), headers, body)


def ask(port, method, path, *headers, body=b"", host=None):
    """
    Send a request that ends its connection.

    Args:
        port: Where to.

        method: What to do.

        path: To what.

        headers: Pairs of a name and a value, also twice the same name.

        body: Sent with its length.

        host: The Host header; None: the right one; "": none.
    """
    if host is None:
        host = f"127.0.0.1:{port}"
    fields = [("Host", host)] if host else []
    fields += [*headers, ("Connection", "close")]
    fields += [("Content-Length", str(len(body)))]
    lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in fields)]
    return exchange(port, "\r\n".join([*lines, "", ""]).encode() + body)


def chunked(port, method, path, *headers, chunks):
    """
    Send a request whose length nobody knows beforehand.
    """
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Transfer-Encoding: chunked",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers),
    ]
    parts = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks]
    head = "\r\n".join([*lines, "", ""]).encode()
    return exchange(port, head + b"".join(parts) + b"0\r\n\r\n")
