# SPDX-License-Identifier: MIT
"""
The gate in front of every path: no request reaches the service or a control
endpoint but through here, and no answer leaves another way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from ringamp.collector import wire
from ringamp.collector.guard import CORS, PROTECTION, Guard, Refusal

App = Callable[[wire.Scope, wire.Receive, wire.Send], Awaitable[None]]

PREFLIGHT = {
    "access-control-allow-headers": "content-type, content-encoding",
    "access-control-allow-methods": "POST",
    "access-control-allow-private-network": "true",
    "access-control-max-age": "600",
}
"""What a page that may post is told when its browser asks beforehand."""

OURS = tuple(name.encode() for name in PROTECTION)


class Gate:
    """
    An ASGI application in front of another.

    Args:
        app: Whom it lets requests through to.

        guard: Says which.

        refused: Told of each that it did not let through.
    """

    def __init__(
        self, app: App, guard: Guard, refused: Callable[[Refusal], None]
    ) -> None:
        self._app = app
        self._guard = guard
        self._refused = refused

    async def __call__(
        self, scope: wire.Scope, receive: wire.Receive, send: wire.Send
    ) -> None:
        """
        Let a request through, or answer it here.
        """
        path, headers = scope["path"], scope["headers"]
        refusal = self._guard.refusal(path, headers, _server(scope))
        if refusal is not None:
            self._refused(refusal)
            await self._answer(refusal, receive, send)
            return
        page = self._guard.page(path, headers)
        shared = {} if page is None else _shared_with(page)
        if page is not None and scope["method"] == "OPTIONS":
            reply = wire.Reply(204, {**PREFLIGHT, **shared}, b"")
            await wire.send_answer(send, reply)
            return
        await self._app(scope, receive, _guarded(send, shared))

    async def _answer(
        self, refusal: Refusal, receive: wire.Receive, send: wire.Send
    ) -> None:
        # Read to its end, or the sender may not hear the answer.
        read = await wire.read(receive, 0)
        if read is None:
            return
        told = {"code": refusal.status, "error": refusal.error}
        headers = {"content-type": "application/json", **read.closing}
        reply = wire.Reply(refusal.status, headers, msgspec.json.encode(told))
        await wire.send_answer(send, reply)


def _server(scope: wire.Scope) -> tuple[str, int | None]:
    # None once the connection is no more.
    return scope["server"] or ("", None)


def _shared_with(page: str) -> dict[str, str]:
    return {"access-control-allow-origin": page, "vary": "origin"}


def _guarded(send: wire.Send, shared: dict[str, str]) -> wire.Send:
    """
    Return a *send* whose answers have no header of protection but ours.
    """

    async def guarded(message: wire.Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                (name, value)
                for name, value in message["headers"]
                if name not in OURS and not name.startswith(CORS.encode())
            ] + [(k.encode(), v.encode("latin-1")) for k, v in shared.items()]
        await send(message)

    return guarded
