# SPDX-License-Identifier: MIT
"""
What HTTP does not offer: resets, and answers that end too soon.

An ASGI application never sees its socket. uvicorn lets the protocol class be
chosen, and hands each request a copy of its *app_state*; so a subclass that
adds the transport to that copy is all it takes. The application finds it as
`scope["state"]["transport"]`.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Pause = Callable[[float], Awaitable[None]]

MOST_READ = 1_000_000_000
"""
Bytes of a body that are read. One that is too large to keep is read on, or
its sender would not hear the answer; but none is read for ever.
"""

LINGER_NOT = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time: close() sends RST and drops what is unsent."""


BODILESS = frozenset({204, 205, 304})
"""Statuses whose answers HTTP lets have no body."""


class Read(NamedTuple):
    """
    What was read of a request's body.

    Attributes:
        body: All of it; empty if it is longer than what may be kept.

        size: How long it is.

        ended: False if it went on beyond what is ever read.
    """

    body: bytes
    size: int
    ended: bool

    @property
    def closing(self) -> dict[str, str]:
        """
        The header that ends the connection if the rest is still to come.
        """
        return {} if self.ended else {"connection": "close"}


class Reply(NamedTuple):
    """
    An answer, ready to be sent.
    """

    status: int
    headers: dict[str, str]
    body: bytes


class CollectorProtocol(H11Protocol):
    """
    uvicorn's HTTP/1.1, with the transport within the application's reach.
    """

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        """
        Begin a connection.
        """
        self.access_log = False
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)

    def send_400_response(self, msg: str) -> None:
        """
        Answer what is no HTTP, under the headers that every answer has.
        """
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"connection", b"close"),
        ]
        for event in (
            h11.Response(status_code=400, headers=headers),
            h11.Data(data=msg.encode()),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def reset(transport: asyncio.Transport) -> None:
    """
    Reset the connection: the peer gets a RST, whatever it is doing.
    """
    connection = transport.get_extra_info("socket")
    if connection is not None and not transport.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
    transport.abort()


async def until_gone(receive: Receive) -> None:
    """
    Wait until uvicorn knows that the connection is no more.

    Returning before would make it answer 500, or log that nobody did.
    """
    while (await receive())["type"] != "http.disconnect":
        pass


async def read(receive: Receive, room: int) -> Read | None:
    """
    Read a request's body, None if the peer goes away meanwhile.

    Args:
        receive: As ASGI has it.

        room:
            Bytes to keep. A longer body is read to its end all the same, so
            that the peer hears the answer, but not kept.
    """
    parts: list[bytes] = []
    size = 0
    while size <= MOST_READ:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > room:
            parts.clear()
        else:
            parts.append(part)
        if not message.get("more_body", False):
            return Read(b"".join(parts), size, ended=True)
    return Read(b"", size, ended=False)


async def send_answer(send: Send, reply: Reply) -> None:
    """
    Send an answer whole.
    """
    await _send_start(send, reply)
    await send({"type": "http.response.body", "body": reply.body})


async def send_half(
    send: Send, transport: asyncio.Transport, reply: Reply
) -> None:
    """
    Send the first half of an answer's body, then close in an orderly way.
    """
    await _send_start(send, reply)
    half = reply.body[: len(reply.body) // 2]
    await send({"type": "http.response.body", "body": half, "more_body": True})
    transport.close()


async def send_dripping(
    send: Send, pause: Pause, seconds: float, reply: Reply
) -> None:
    """
    Send an answer's body byte by byte, with a pause before each.
    """
    await _send_start(send, reply)
    for place in range(len(reply.body)):
        await pause(seconds)
        await send(
            {
                "type": "http.response.body",
                "body": reply.body[place : place + 1],
                "more_body": place + 1 < len(reply.body),
            }
        )


async def _send_start(send: Send, reply: Reply) -> None:
    headers = {name.lower(): told for name, told in reply.headers.items()}
    if reply.status not in BODILESS:
        headers["content-length"] = str(len(reply.body))
    await send(
        {
            "type": "http.response.start",
            "status": reply.status,
            "headers": [
                (name.encode("latin-1"), value.encode("latin-1"))
                for name, value in headers.items()
            ],
        }
    )
