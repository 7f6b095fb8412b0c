# SPDX-License-Identifier: MIT
"""
The service's paths as an ASGI application: rules, faults and ledger joined.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import orjson

from ringamp.clock import Clock
from ringamp.collector import wire
from ringamp.collector.fault import Fault
from ringamp.collector.faults import Faults
from ringamp.collector.fields import Event
from ringamp.collector.ledger import Ledger, Note
from ringamp.collector.reading import Request, events_in, room
from ringamp.collector.rules import Answer
from ringamp.collector.settings import Settings

JSON = "application/json"
HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"

Answering = Callable[[Request, float], Answer]
"""What the rules come down to here: a request and the time, an answer."""

UNREAD = Answer(0, "")
"""What became of a request whose body was not read: nothing."""


class Api:
    """
    The service's own paths, and every path that is none.

    Args:
        settings: How strict to be.

        answering: Deals with a request.

        ledger: Told what was taken.

        faults: Asked what goes wrong.

        clock: Tells the time of the server.

        latency: Seconds before each answer.

        pause: Waits so many seconds, less if the server stops.

        refuse: Has the server refuse connections for so many seconds.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        answering: Answering,
        ledger: Ledger,
        faults: Faults,
        clock: Clock,
        latency: float,
        pause: wire.Pause,
        refuse: wire.Pause,
    ) -> None:
        self._settings = settings
        self._answering = answering
        self._ledger = ledger
        self._faults = faults
        self._clock = clock
        self._latency = latency
        self._pause = pause
        self._refuse = refuse

    async def __call__(
        self, scope: wire.Scope, receive: wire.Receive, send: wire.Send
    ) -> None:
        """
        Deal with one request, and play the fault that is its lot.
        """
        fault = self._faults.take()
        if fault is not None and fault.cuts:
            self._record(fault, scope["path"], 0, None, UNREAD)
            await self._cut(fault, scope["state"]["transport"], receive)
            return
        limits = self._settings.limits_of(scope["path"])
        read = await wire.read(receive, room(limits))
        if read is None:
            return
        request = Request(
            scope["method"],
            scope["path"],
            _headers(scope),
            read.body,
            read.size,
            scope["query_string"].decode("latin-1"),
        )
        events: list[Event] = []
        if self._faults.waits_for_ids and fault is None:
            events = events_in(request, self._settings)
            fault = self._faults.take(events)
        usual = None
        if fault is None or fault.takes:
            usual = self._answering(request, self._clock.wall())
        elif not events:
            events = events_in(request, self._settings)
        reply = _reply(fault, usual, events, read.closing)
        lost = fault is not None and fault.reset is not None
        self._record(
            fault,
            request.path,
            request.size,
            None if lost else reply.status,
            usual or Answer(0, "", rejected=len(events)),
        )
        await self._say(fault, reply, scope, receive, send)

    async def _cut(
        self,
        fault: Fault,
        transport: asyncio.Transport,
        receive: wire.Receive,
    ) -> None:
        if fault.delay:
            await self._pause(fault.delay)
        if fault.refuse is not None:
            await self._refuse(fault.refuse)
        else:
            wire.reset(transport)
        await wire.until_gone(receive)

    async def _say(
        self,
        fault: Fault | None,
        reply: wire.Reply,
        scope: wire.Scope,
        receive: wire.Receive,
        send: wire.Send,
    ) -> None:
        wait = self._latency + (fault.delay if fault else 0)
        if wait:
            await self._pause(wait)
        transport: asyncio.Transport = scope["state"]["transport"]
        if fault is None:
            await wire.send_answer(send, reply)
        elif fault.reset == "after":
            wire.reset(transport)
            await wire.until_gone(receive)
        elif fault.half:
            await wire.send_half(send, transport, reply)
            await wire.until_gone(receive)
        elif fault.drip:
            await wire.send_dripping(send, self._pause, fault.drip, reply)
        else:
            await wire.send_answer(send, reply)

    def _record(
        self,
        fault: Fault | None,
        path: str,
        size: int,
        status: int | None,
        answer: Answer,
    ) -> None:
        note = Note(
            path,
            status,
            size,
            len(answer.taken) + answer.unread,
            len(answer.duplicates),
            answer.rejected,
            fault.name if fault else None,
            self._clock.wall(),
            answer.unapplied,
        )
        self._ledger.record(note, answer.taken, answer.losses)


def _reply(
    fault: Fault | None,
    usual: Answer | None,
    events: Sequence[Event],
    closing: dict[str, str],
) -> wire.Reply:
    """
    Return what the peer is to hear.

    Args:
        fault: What goes wrong, if anything does.

        usual: The answer of the rules, None if they were not asked.

        events: What was sent, for a fault that names some of it.

        closing: Ends the connection if the rest of a body is still to come.
    """
    status, body = (usual.status, usual.body) if usual else (200, "")
    headers = {}
    if fault is not None:
        status = fault.answers or status
        body = fault.text(status, body, events)
        headers = fault.headers
    if isinstance(body, dict):
        kind, content = JSON, orjson.dumps(body)
    else:
        # A page is what we wrote ourselves; a text given to us never is one,
        # whatever it looks like.
        kind = HTML if fault is not None and fault.html else TEXT
        content = body.encode()
    if status in wire.BODILESS:
        content = b""
    return wire.Reply(
        status, {"content-type": kind, **headers, **closing}, content
    )


def _headers(scope: wire.Scope) -> dict[str, str]:
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in scope["headers"]
    }
