# SPDX-License-Identifier: MIT
"""
A sink for benchmarks: it counts what arrives and answers 200 at once.

It shares the machine with what is measured, so it does as little as can be:
no JSON is read, no ASGI task made, no body put together. The bytes of each
read are counted where they lie, in one small buffer that stays in the
processor's cache, and then overwritten by the next.

Only a plain POST with a Content-Length to the two paths is dealt with here.
Anything else (a control endpoint, gzip, chunks, a fault that waits) is handed
over, connection and all, to the ordinary protocol of the server, which goes
on with it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from ringamp.clock import Clock
from ringamp.collector import bodies
from ringamp.collector.faults import Faults
from ringamp.collector.ledger import Ledger
from ringamp.collector.rules import Answer, Refusal, Request, unpack
from ringamp.collector.settings import BATCH
from ringamp.collector.wire import CollectorProtocol

MARK = b'"event_type":'
"""
What is counted. Every event has it once, and orjson and msgspec write it so;
a property of the same name would count too.
"""

OVERLAP = len(MARK) - 1
"""Bytes kept from one read to the next, as a mark may lie across the seam."""

BUFFER_BYTES = 256 * 1024
"""Few reads a request, and yet in the cache; 128 KiB to 1 MiB do alike."""

HEAD_BYTES = 16 * 1024
"""A longer head is left to the full protocol."""

STARTS = (b"post /2/httpapi http/1.1\r\n", b"post /batch http/1.1\r\n")
OTHERS = (b"\r\ncontent-encoding:", b"\r\ntransfer-encoding:", b"\r\nexpect:")
LENGTH = b"\r\ncontent-length:"

ANSWER = (
    b"HTTP/1.1 200 OK\r\n"
    b"content-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%b"
)
BODY = (
    b'{"code":200,"events_ingested":%d,'
    b'"payload_size_bytes":%d,"server_upload_time":%d}'
)


def count_only(request: Request, now: float) -> Answer:
    """
    Answer 200 to *request*, whatever it says.

    A packed one is unpacked up to what the batch API takes, on either path;
    of a larger one nothing is counted.
    """
    plain, size = request.body, request.size
    if "content-encoding" in request.headers:
        try:
            plain = unpack(request, BATCH)
        except Refusal:
            plain = b""
        size = len(plain)
    events = plain.count(MARK)
    body = bodies.taken(events, size, int(now * 1000))
    return Answer(200, body, unread=events)


class Sink:
    """
    What all connections of a counting server share.

    Args:
        ledger: Told what was counted.

        faults: While it holds one, requests take the ordinary road.

        clock: Tells the time of the server.

        latency: Seconds before each answer.
    """

    def __init__(
        self, ledger: Ledger, faults: Faults, clock: Clock, latency: float
    ) -> None:
        self.ledger = ledger
        self.faults = faults
        self.clock = clock
        self.latency = latency


class CountingProtocol(asyncio.BufferedProtocol):
    """
    One connection of a counting server.

    The arguments are those that uvicorn gives; *app_state* holds the `Sink`.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._give = (config, server_state, app_state, _loop)
        self._loop = _loop or asyncio.get_running_loop()
        self._sink: Sink = app_state["sink"]
        self._connections = server_state.connections
        self._buffer = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._held = 0
        self._left = 0
        self._size = 0
        self._events = 0
        self.transport: asyncio.Transport

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        """
        Begin a connection; uvicorn closes it at the end by way of its set.
        """
        self.transport = transport
        self._connections.add(self)  # type: ignore[arg-type]

    def connection_lost(self, _: Exception | None) -> None:
        """
        End the connection.
        """
        self._connections.discard(self)

    def shutdown(self) -> None:
        """
        Close on uvicorn's wish.
        """
        self.transport.close()

    def get_buffer(self, _: int) -> memoryview:
        """
        Return where the next bytes go: behind those that are held.
        """
        return self._view[self._held :]

    def buffer_updated(self, nbytes: int) -> None:
        """
        Count what has come of a body, and begin the requests behind it.
        """
        end = self._held + nbytes
        at = 0
        if self._left:
            at = min(end, self._held + self._left)
            self._left -= at - self._held
            self._events += self._buffer.count(MARK, 0, at)
            if self._left:
                self._hold(max(0, at - OVERLAP), at)
                return
            self._answer()
        while at < end:
            body = self._begin(at, end)
            if body is None:
                return
            at = min(end, body + self._left)
            self._left -= at - body
            self._events = self._buffer.count(MARK, body, at)
            if self._left:
                self._hold(max(body, at - OVERLAP), at)
                return
            self._answer()
        self._held = 0

    def eof_received(self) -> None:
        """
        Close when the peer does.
        """

    def _begin(self, at: int, end: int) -> int | None:
        """
        Read the head at *at*; return where its body begins.

        None if the head is not whole yet, or the request is not for us.
        """
        stop = self._buffer.find(b"\r\n\r\n", at, end)
        if stop < 0 and end - at < HEAD_BYTES:
            self._hold(at, end)
            return None
        head = bytes(self._buffer[at : stop + 2]).lower()
        _, found, rest = head.partition(LENGTH)
        if (
            stop < 0
            or not found
            or not head.startswith(STARTS)
            or any(other in head for other in OTHERS)
            or len(self._sink.faults)
        ):
            self._hand_over(bytes(self._buffer[at:end]))
            return None
        self._left = self._size = int(rest.partition(b"\r\n")[0])
        return stop + 4

    def _hold(self, start: int, stop: int) -> None:
        """
        Keep these bytes in front of those that come next.
        """
        self._held = stop - start
        if start:
            self._buffer[: self._held] = self._buffer[start:stop]

    def _answer(self) -> None:
        sink = self._sink
        sink.ledger.count(self._size, self._events)
        now = int(sink.clock.wall() * 1000)
        body = BODY % (self._events, self._size, now)
        answer = ANSWER % (len(body), body)
        if sink.latency:
            self._loop.call_later(sink.latency, self.transport.write, answer)
        else:
            self.transport.write(answer)

    def _hand_over(self, data: bytes) -> None:
        """
        Give the connection, and what was read of it, to the full protocol.
        """
        self._connections.discard(self)
        protocol = CollectorProtocol(*self._give)
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        protocol.data_received(data)
