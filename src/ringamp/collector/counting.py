# SPDX-License-Identifier: MIT
"""
A sink for benchmarks: it counts what arrives and answers 200 at once.

It shares the machine with what is measured, so it does as little as can be:
no JSON is read, no ASGI task made, no body put together. The bytes of each
read are counted where they lie, in one small buffer that stays in the
processor's cache, and then overwritten by the next.

Packed bodies are unpacked piece by piece, and no piece is kept either.

Only a POST with a Content-Length to the two paths is dealt with here.
Anything else (a control endpoint, chunks, a fault that waits) is handed over,
connection and all, to the ordinary protocol of the server, which goes on with
it.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from ringamp.clock import Clock
from ringamp.collector import bodies
from ringamp.collector.faults import Faults
from ringamp.collector.ledger import Ledger
from ringamp.collector.reading import Request
from ringamp.collector.rules import Answer
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

MOST_BYTES = BATCH.max_bytes or 0
"""What a packed body may become: a megabyte of gzip can hold a gigabyte."""

STARTS = (b"post /2/httpapi http/1.1\r\n", b"post /batch http/1.1\r\n")
OTHERS = (b"\r\ncontent-encoding:", b"\r\ntransfer-encoding:", b"\r\nexpect:")
LENGTH = b"\r\ncontent-length:"
GZIP = b"\r\ncontent-encoding: gzip\r\n"

ANSWER = (
    b"HTTP/1.1 200 OK\r\n"
    b"content-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%b"
)
BODY = (
    b'{"code":200,"events_ingested":%d,'
    b'"payload_size_bytes":%d,"server_upload_time":%d}'
)


class Packed:
    """
    Counts the marks in a body of gzip, and keeps none of it.

    One that would be larger than the batch API takes, is cut short or is no
    gzip counts as nothing.
    """

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj(wbits=31)
        self._seam = b""
        self._events = 0
        self._size = 0
        self._is_sound = True

    def feed(self, data: bytes) -> None:
        """
        Count what *data* goes on with.
        """
        while data and self._is_sound:
            try:
                piece = self._unpacker.decompress(data, BUFFER_BYTES)
            except zlib.error:
                self._is_sound = False
                return
            self._size += len(piece)
            self._is_sound = (
                self._size < MOST_BYTES and not self._unpacker.unused_data
            )
            piece = self._seam + piece
            self._events += piece.count(MARK)
            self._seam = piece[-OVERLAP:]
            data = self._unpacker.unconsumed_tail

    def total(self) -> tuple[int, int]:
        """
        How many events there were, and bytes of JSON.
        """
        if self._is_sound and self._unpacker.eof:
            return self._events, self._size
        return 0, 0


def count_only(request: Request, now: float) -> Answer:
    """
    Answer 200 to *request*, whatever it says.
    """
    events, size = request.body.count(MARK), request.size
    if "content-encoding" in request.headers:
        packed = Packed()
        packed.feed(request.body)
        events, size = packed.total()
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
        self._packed: Packed | None = None
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
            seam = self._take(0, self._held, at)
            if self._left:
                self._hold(seam, at)
                return
            self._answer()
        while at < end:
            body = self._begin(at, end)
            if body is None:
                return
            at = min(end, body + self._left)
            self._left -= at - body
            seam = self._take(body, body, at)
            if self._left:
                self._hold(seam, at)
                return
            self._answer()
        self._held = 0

    def eof_received(self) -> None:
        """
        Close when the peer does.
        """

    def _take(self, before: int, start: int, stop: int) -> int:
        """
        Count in a body's bytes [start, stop).

        Args:
            before: Where the end of the read before lies, for a mark across
                the seam.

            start: Of what is new.

            stop: Of it.

        Returns:
            From where on the next read wants to see it again.
        """
        if self._packed is not None:
            self._packed.feed(bytes(self._view[start:stop]))
            return stop
        self._events += self._buffer.count(MARK, before, stop)
        return max(before, stop - OVERLAP)

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
        packed = Packed() if GZIP in head else None
        head = head.replace(GZIP, b"\r\n")
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
        self._events = 0
        self._packed = packed
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
        events, size = self._events, self._size
        if self._packed is not None:
            events, size = self._packed.total()
        sink.ledger.count(self._size, events)
        now = int(sink.clock.wall() * 1000)
        body = BODY % (events, size, now)
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
