# SPDX-License-Identifier: MIT
"""
The web application that is measured, as gunicorn's workers load it.

A request prices an order in five sections and logs an event after each of
them. Without an SDK it does the same work and makes no events. Standard
library alone: it runs beside whatever its SDK has brought.

What to do is one JSON object in the environment. Each worker writes a line
into the file of notes when it is ready, and another one when it ends.
"""

from __future__ import annotations

import atexit
import json
import os
from collections.abc import Callable, Iterable
from html import escape
from importlib import import_module
from time import process_time, time
from typing import Any

ORDER = "RINGAMP_WEBAPP"
"""The variable of the environment."""

EVENTS = 5
"""Sections of a request, with an event each."""

USERS = 1000

PRICE = 9.99

Start = Callable[[str, list[tuple[str, str]]], object]


def priced(lines: int) -> tuple[int, float]:
    """
    Do the work of one section: read an order, price it, and write its part
    of a page.

    Returns:
        The characters of the page, and the price.
    """
    wire = json.dumps(
        [
            {"sku": f"SKU-{number:05}", "title": f"Tea & co. <{number}>"}
            for number in range(lines)
        ]
    )
    total, rows = 0.0, []
    for number, line in enumerate(json.loads(wire)):
        price = PRICE * (1 + number % 4)
        total += price
        title = escape(line["title"])
        rows.append(f"<tr><td>{line['sku']}<td>{title}<td>{price:.2f}</tr>")
    return len("".join(rows)), total


class Application:
    """
    A WSGI application with one client of an SDK, or none.

    Args:
        order: With *lines* of a section, the *event* that all are made
            from, the *adapter* of the SDK or an empty string, its *url* and
            *options*, and the file of *notes*.
    """

    def __init__(self, order: dict[str, Any]) -> None:
        self._lines: int = order["lines"]
        self._event: dict[str, Any] = order["event"]
        self._notes: str = order["notes"]
        self._peer: Any = None
        self._requests = 0
        if order["adapter"]:
            adapter = import_module(order["adapter"])
            self._peer = adapter.Peer(order["url"], order["options"])
        self._began = process_time()

    def __call__(
        self, environ: dict[str, Any], start_response: Start
    ) -> Iterable[bytes]:
        """
        Answer a request.
        """
        self._requests += 1
        size, total = 0, 0.0
        for section in range(EVENTS):
            characters, price = priced(self._lines)
            size, total = size + characters, total + price
            if self._peer is not None:
                event = self.event(environ["PATH_INFO"], section, price)
                self._peer.prepare(event)()
        body = json.dumps({"size": size, "total": total}).encode()
        start_response(
            "200 OK",
            [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
            ],
        )
        return [body]

    def event(self, path: str, section: int, price: float) -> dict[str, Any]:
        """
        Make the event of a section.
        """
        properties = self._event["event_properties"]
        return {
            **self._event,
            "user_id": f"user-{self._requests % USERS}@example.com",
            "time": int(time() * 1000),
            "event_properties": {
                **properties,
                "path": path,
                "section": section,
                "total": price,
            },
        }

    def note_end(self) -> None:
        """
        Note what this worker has done.
        """
        cpu = process_time() - self._began
        self.note({"requests": self._requests, "cpu": cpu})

    def note(self, what: dict[str, Any]) -> None:
        """
        Append a line; in one write, since workers share the file.
        """
        line = json.dumps({"pid": os.getpid(), **what}) + "\n"
        with open(self._notes, "ab", buffering=0) as notes:  # noqa: PTH123
            notes.write(line.encode())


def application() -> Application:
    """
    Make the application of this worker.
    """
    made = Application(json.loads(os.environ[ORDER]))
    # After the SDK has registered itself, so that this is called before it:
    # an SDK that hangs at exit does not hide the count.
    atexit.register(made.note_end)
    made.note({})
    return made
