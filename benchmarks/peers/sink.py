# SPDX-License-Identifier: MIT
"""
A sink that takes the events of every peer and does as little as it can.

    python -m benchmarks.peers.sink [--ledger]

In its own process, standard library alone, one thread. It counts how often
the event's name is in a body: once an event, in the JSON of all of them and
in mixpanel's form alike, so nothing is parsed. One answer pleases every SDK.
With a ledger it parses the bodies and keeps which events came, with the ids
by which a service could tell a repeat.

    GET /await/COUNT/SECONDS   answers when so many have arrived, or later
    GET /outage/SECONDS        refuses connections for so long
    GET /ledger                what came: {serial: [id, ...]}

Its port is the first line that it prints. It ends with its stdin.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sys
import zlib
from collections.abc import Iterator
from time import monotonic_ns
from typing import Any
from urllib.parse import parse_qs

NAME = b"watch_tutorial"
GZIP = 31
"""zlib's window bits for a gzip header."""

LENGTH = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)
PACKED = re.compile(rb"^content-encoding: *gzip", re.IGNORECASE | re.MULTILINE)

ANSWER = json.dumps(
    {
        # Amplitude's, mixpanel's and posthog's, segment's and rudder's word.
        "code": 200,
        "status": 1,
        "success": True,
        "error": None,
        "events_ingested": 1,
        "payload_size_bytes": 1,
        "server_upload_time": 1396381378123,
    }
).encode()

FIRST_BUFFER = 2**16
HEAD_END = b"\r\n\r\n"

LISTS = ("events", "batch")
IDS = ("insert_id", "messageId", "uuid")
BREATH = 0.02
"""Seconds in which an answer leaves before an outage begins."""


def reply(body: bytes, status: bytes = b"200 OK") -> bytes:
    """
    An answer that keeps the connection.
    """
    return (
        b"HTTP/1.1 %b\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n%b" % (status, len(body), body)
    )


TAKEN = reply(ANSWER)


def events_in(body: bytes) -> Iterator[dict[str, Any]]:
    """
    The events of a body, whoever sent it.
    """
    if body.startswith(b"data="):  # mixpanel's form.
        found = json.loads(parse_qs(body.decode())["data"][0])
    else:
        found = json.loads(body)
    if isinstance(found, dict):
        lists = [found[name] for name in LISTS if name in found]
        found = lists[0] if lists else found
    yield from found if isinstance(found, list) else [found]


def identity(event: dict[str, Any]) -> tuple[str, str]:
    """
    The serial number of an event, and the id that its SDK gave it.
    """
    properties = event.get("event_properties") or event.get("properties") or {}
    ids = [str(event[name]) for name in IDS if event.get(name)]
    ids += [str(properties.get("$insert_id", ""))]
    return str(properties.get("serial", "")), ids[0]


class Sink:
    """
    What has arrived, and who waits for more.
    """

    def __init__(self, *, keeps_ledger: bool) -> None:
        self.count = 0
        self.last = 0
        self.ledger: dict[str, list[str]] = {}
        self.connections: set[asyncio.Transport] = set()
        self.keeps_ledger = keeps_ledger
        self._waiting: list[tuple[int, asyncio.Transport]] = []
        self._server: asyncio.Server | None = None
        self._outage: asyncio.Task[None] | None = None
        self.port = 0

    def take(self, count: int, body: bytes = b"") -> None:
        """
        Take a body with *count* events.
        """
        self.count += count
        self.last = monotonic_ns()
        if self.keeps_ledger:
            self.enter(body)
        for wanted, transport in self._waiting[:]:
            if self.count >= wanted:
                self.tell(wanted, transport)

    def enter(self, body: bytes) -> None:
        """
        Write the events of *body* into the ledger.
        """
        try:
            events = [*events_in(body)]
        except (ValueError, KeyError):
            # Two processes on one connection: a peer that was forked.
            return
        for event in events:
            serial, id_ = identity(event)
            self.ledger.setdefault(serial, []).append(id_)

    def await_count(
        self, count: int, seconds: float, transport: asyncio.Transport
    ) -> None:
        """
        Answer when *count* is there.
        """
        self._waiting.append((count, transport))
        if self.count >= count:
            self.tell(count, transport)
            return
        asyncio.get_running_loop().call_later(
            seconds, self.tell, count, transport
        )

    def tell(self, count: int, transport: asyncio.Transport) -> None:
        """
        Answer one that waits, unless it was told already.
        """
        if (count, transport) in self._waiting:
            self._waiting.remove((count, transport))
            seen = {"count": self.count, "last": self.last}
            transport.write(reply(json.dumps(seen).encode()))

    async def listen(self, taken: socket.socket | None = None) -> None:
        """
        Begin to answer.
        """
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self),
            **({"sock": taken} if taken else {"host": "127.0.0.1", "port": 0}),
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def begin_outage(self, seconds: float) -> None:
        """
        Be out for *seconds*.
        """
        self._outage = asyncio.create_task(self.be_out(seconds))

    async def be_out(self, seconds: float) -> None:
        """
        Refuse connections; the port stays taken meanwhile.
        """
        await asyncio.sleep(BREATH)
        if self._server is not None:
            self._server.close()
        for transport in list(self.connections):
            transport.abort()
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", self.port))
        await asyncio.sleep(seconds)
        await self.listen(held)


class Connection(asyncio.BufferedProtocol):
    """
    One connection: heads and bodies, one after the other, in a buffer that
    grows to the longest of them.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._buffer = bytearray(FIRST_BUFFER)
        self._filled = 0
        self._head = b""
        self._start = self._end = 0  # Of the body, once its head is there.
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Remember it, for an outage.
        """
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self._sink.connections.add(transport)

    def connection_lost(self, _: Exception | None) -> None:
        """
        Forget it.
        """
        if self._transport is not None:
            self._sink.connections.discard(self._transport)

    def get_buffer(self, _: int) -> memoryview:
        """
        Where the next bytes go.
        """
        if self._filled == len(self._buffer):
            self.grow(2 * self._filled)
        return memoryview(self._buffer)[self._filled :]

    def grow(self, size: int) -> None:
        """
        Take a larger buffer; the old one may be lent out.
        """
        larger = bytearray(size)
        larger[: self._filled] = self._buffer[: self._filled]
        self._buffer = larger

    def buffer_updated(self, nbytes: int) -> None:
        """
        Answer every request that is whole.
        """
        self._filled += nbytes
        while self.is_whole():
            self.respond()
            left = self._buffer[self._end : self._filled]
            self._buffer[: len(left)] = left
            self._filled = len(left)
            self._start = self._end = 0

    def is_whole(self) -> bool:
        """
        Whether a request is there with all of its body.
        """
        if not self._start:
            end = self._buffer.find(HEAD_END, 0, self._filled)
            if end < 0:
                return False
            self._head = bytes(self._buffer[:end])
            self._start = end + len(HEAD_END)
            length = LENGTH.search(self._head)
            self._end = self._start + (int(length[1]) if length else 0)
            if self._end > len(self._buffer):
                self.grow(self._end)
        return self._filled >= self._end

    def respond(self) -> None:
        """
        Take a body, or do what the path says.
        """
        transport = self._transport
        if transport is None:
            return
        if self._head.startswith(b"POST"):
            self.take()
            transport.write(TAKEN)
            return
        _, what, *rest = self._head.split(b" ", 2)[1].decode().split("/")
        if what == "await":
            self._sink.await_count(int(rest[0]), float(rest[1]), transport)
        elif what == "outage":
            transport.write(reply(b"{}"))
            self._sink.begin_outage(float(rest[0]))
        elif what == "ledger":
            transport.write(reply(json.dumps(self._sink.ledger).encode()))
        else:  # A peer that asks for its flags or settings.
            transport.write(TAKEN)

    def take(self) -> None:
        """
        Count, and copy only what has to be read.
        """
        sink, start, end = self._sink, self._start, self._end
        if PACKED.search(self._head):
            body = zlib.decompress(self._buffer[start:end], GZIP)
            sink.take(body.count(NAME), body)
        elif sink.keeps_ledger:
            body = bytes(self._buffer[start:end])
            sink.take(body.count(NAME), body)
        else:
            sink.take(self._buffer.count(NAME, start, end))


async def serve(*, keeps_ledger: bool) -> None:
    """
    Serve until stdin ends.
    """
    sink = Sink(keeps_ledger=keeps_ledger)
    await sink.listen()
    print(sink.port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(keeps_ledger="--ledger" in sys.argv))
