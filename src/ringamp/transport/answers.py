# SPDX-License-Identifier: MIT
"""
The answer to a request, read from its socket.

There are two roads. Nearly every answer that a service gives to millions of
requests is of one plain form: HTTP/1.1, a head of well-formed lines, and a
body whose length it says, once. Such an answer is read here, mostly with one
call to the socket, and without the headers of an e-mail that `http.client`
makes of each head. Whatever differs in anything (chunks, an interim answer,
HTTP/1.0, a body that ends with its connection, a line that is not quite
right) is given to `http.client`, from its first byte.
"""

from __future__ import annotations

import http.client
import io
import re
from functools import lru_cache
from typing import Any

import msgspec

from ringamp.transport.classify import BODY_CAP
from ringamp.transport.sockets import TimedSocket

CHUNK = 64 * 1024
"""Bytes read at a time."""

_END = b"\r\n\r\n"

_BLANK_LINE = re.compile(rb"\n\r?\n")

# No name takes a colon and no value a line's end, so this looks at each byte
# once. 1xx is no answer yet; 204 and 304 have no body, whatever they say.
_PLAIN = re.compile(
    rb"HTTP/1\.1 (?!204|304)([2-9][0-9][0-9])(?: [^\r\n\0]*)?\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r\n)+)\r\n"
)
_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*([^\r]*?)[ \t]*\r$")
_LENGTH_DIGITS = 10

# A body that is not told by its length alone, and a connection that is not
# kept. Nearly the same are as good: http.client sees to them.
_OTHERWISE = re.compile(
    rb"(?im)^(?:transfer-encoding|connection(?!:[ \t]*keep-alive[ \t]*\r$))"
)

_REFUSED_UNREAD = frozenset(
    {
        http.client.REQUEST_ENTITY_TOO_LARGE,
        http.client.UNSUPPORTED_MEDIA_TYPE,
    }
)
"""What a server says that does not read on, and may reset before its answer
is complete. The status says all there is to know; a retry of the same body
would meet the same end."""


class Answer(msgspec.Struct, frozen=True):
    """
    What came back.

    Attributes:
        status: The HTTP status.

        lines: Its headers, as they were sent.

        body: What came with it; empty if that was longer than `BODY_CAP`.

        is_last: Whether the connection is of no more use.
    """

    status: int
    lines: bytes
    body: bytes
    is_last: bool

    @property
    def headers(self) -> dict[str, str]:
        """
        The headers, by their names in lower case.
        """
        fields = (
            line.partition(":")
            for line in self.lines.decode("latin-1").split("\r\n")
        )
        return {name.lower(): text.strip() for name, _, text in fields if name}


def read_answer(sock: TimedSocket, begun: bytes) -> Answer:
    """
    Read one answer, of which *begun* was read before: empty where the
    connection ended instead.

    Raises:
        http.client.HTTPException: It is no HTTP, or ends too early.

        OSError: The connection failed, or its deadline passed.
    """
    head = _PLAIN.match(begun)
    if head is None:
        begun = _read_head(sock, begun)
        head = _PLAIN.match(begun)
    if head is None:
        return _read_other(sock, begun)
    status, lines = int(head[1]), head[2]
    length = _length(lines)
    if length is None:
        return _read_other(sock, begun)
    body = begun[head.end() :]
    if len(body) == length <= BODY_CAP:
        return Answer(status, lines, body, is_last=False)
    if length > BODY_CAP:
        return Answer(status, lines, b"", is_last=True)
    try:
        body = _read_rest(sock, body, length)
    except (OSError, http.client.HTTPException):
        if status not in _REFUSED_UNREAD:
            raise
        return Answer(status, lines, b"", is_last=True)
    # More than was announced belongs to no request.
    return Answer(status, lines, body[:length], len(body) > length)


@lru_cache(maxsize=16)
def _length(lines: bytes) -> int | None:
    """
    Find out how long the body is, None where `http.client` must. A server's
    answers to the same request begin with the same lines for a second.
    """
    said = _LENGTH.findall(lines)
    if len(said) != 1 or _OTHERWISE.search(lines):
        return None
    length = said[0]
    if len(length) > _LENGTH_DIGITS or not length.isdigit():
        return None
    return int(length)


def _read_head(sock: TimedSocket, begun: bytes) -> bytes:
    """
    Read on until the end of the head is in sight.
    """
    data = piece = begun
    # Only where the end may be: an answer can come byte by byte.
    while piece and data.find(_END, -len(piece) - len(_END) + 1) < 0:
        if len(data) > CHUNK:
            return data
        sock.hurry()
        piece = sock.recv(CHUNK)
        data += piece
    if data and not piece and not _BLANK_LINE.search(data):
        # http.client takes what there is for the whole head.
        raise http.client.IncompleteRead(data)
    return data


def _read_rest(sock: TimedSocket, begun: bytes, length: int) -> bytes:
    """
    Read what is missing of a body of *length* bytes.
    """
    body = bytearray(begun)
    while len(body) < length:
        sock.hurry()
        piece = sock.recv(min(length - len(body), CHUNK))
        if not piece:
            raise http.client.IncompleteRead(bytes(body), length - len(body))
        body += piece
    return bytes(body)


class _Replay(io.RawIOBase):
    """
    A socket, for those who read it as a file, whose first bytes were read.
    """

    def __init__(self, sock: TimedSocket, begun: bytes) -> None:
        super().__init__()
        self._sock = sock
        self._begun = begun

    def makefile(self, _mode: str) -> io.BufferedReader:
        """
        Give the file, as `http.client` asks a socket for it.
        """
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """
        It is.
        """
        return True

    def readinto(self, buffer: Any) -> int:
        """
        Read what was read before, and then the socket.
        """
        room = len(buffer)
        piece = self._begun[:room]
        self._begun = self._begun[room:]
        if not piece:
            self._sock.hurry()
            piece = self._sock.recv(room)
        buffer[: len(piece)] = piece
        return len(piece)


def _read_other(sock: TimedSocket, begun: bytes) -> Answer:
    """
    Read an answer that is not of the plain form.
    """
    reader: Any = _Replay(sock, begun)
    answer = http.client.HTTPResponse(reader, method="POST")
    try:
        answer.begin()
        status = answer.status
        fields = [f"{name}: {text}\r\n" for name, text in answer.getheaders()]
        lines = "".join(fields).encode("latin-1", "replace")
        if status < http.client.OK:
            # The true answer would be taken for the next request's.
            return Answer(status, lines, b"", is_last=True)
        try:
            body, is_last = _read_body(answer)
        except (OSError, http.client.HTTPException):
            if status not in _REFUSED_UNREAD:
                raise
            body, is_last = b"", True
        return Answer(status, lines, body, is_last or answer.will_close)
    finally:
        answer.close()


def _read_body(answer: http.client.HTTPResponse) -> tuple[bytes, bool]:
    """
    Read a body up to the cap; a longer one counts as none, and takes its
    connection along.
    """
    body = bytearray()
    while len(body) <= BODY_CAP:
        piece = answer.read(CHUNK)
        if not piece:
            break
        body += piece
    else:
        return b"", True
    if answer.length:
        raise http.client.IncompleteRead(bytes(body), answer.length)
    return bytes(body), False
