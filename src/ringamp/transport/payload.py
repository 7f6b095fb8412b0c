# SPDX-License-Identifier: MIT
"""
One request before it travels: `Envelope` and `Payload`. Pure.

A body is the envelope's head, the events joined by commas, and its tail:

    {"api_key":"...","events":[  event,event,event  ],"options":{...}}

The API key is inside the body and nowhere else, so nothing here shows a body
in its repr.

There is no *client_upload_time*. The service shifts every event's time by
the difference between that field and its own clock once they are more than
60 s apart, so a body that waits for a retry would carry a stale value and
shift events that were logged with the right time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

import msgspec
import orjson

from ringamp.buffer.batch import Batch
from ringamp.options import Options
from ringamp.version import VERSION

Body = bytes | bytearray | memoryview
"""What a body may be: assembled in place, or joined here."""


LIBRARY = f"ringamp/{VERSION}"
"""User-Agent of every request, and the *library* of events without one."""

_HEADERS: Mapping[str, str] = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "User-Agent": LIBRARY,
}


class Payload(msgspec.Struct, eq=False):
    """
    One request: where it goes, what it carries, how long it may take.

    Attributes:
        url: Where it goes.

        body: The JSON, ready to send. The API key is in it.

        headers: What goes with the body.

        events: The same events as *body* holds, in sent order.

        timeout: Seconds the whole request may take.
    """

    url: str
    body: Body
    headers: Mapping[str, str]
    events: Sequence[dict[str, Any]]
    timeout: float

    def __repr__(self) -> str:
        # Neither the query nor a user part: a proxy's URL may hold a secret.
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        return (
            f"<Payload {parts.scheme}://{host}{parts.path}:"
            f" {len(self.events)} events, {len(self.body)} bytes>"
        )


class Envelope:
    """
    What surrounds the events of every request of one instance.

    Attributes:
        head: The bytes before the first event; they hold the API key.

        tail: The bytes after the last event.

        overhead: How many bytes *head* and *tail* have together.

        headers: What goes with every body.

        project: A hash of API key and URL, 16 bytes: names what may be sent
            with this envelope, and tells nothing of the key.
    """

    __slots__ = (
        "head",
        "headers",
        "overhead",
        "project",
        "tail",
        "timeout",
        "url",
    )

    def __init__(self, api_key: str, options: Options) -> None:
        key = orjson.dumps(api_key)
        self.head: bytes = b'{"api_key":' + key + b',"events":['
        self._limit_ids(options.min_id_length)
        self.headers: Mapping[str, str] = _HEADERS
        self.url: str = options.url
        self.timeout: float = options.request_timeout
        self.project: bytes = blake2b(
            f"{api_key}\n{options.url}".encode(),
            digest_size=16,
            person=b"ringamp",
        ).digest()

    def __repr__(self) -> str:
        return f"<Envelope: {self.overhead} bytes>"

    def _limit_ids(self, min_id_length: int) -> None:
        limits = orjson.dumps({"min_id_length": min_id_length})
        self.tail: bytes = b'],"options":' + limits + b"}"
        self.overhead: int = len(self.head) + len(self.tail)

    def for_ids(self, min_id_length: int) -> Envelope:
        """
        Make an envelope for events that were logged under another option
        *min_id_length*.
        """
        other = copy(self)
        other._limit_ids(min_id_length)  # noqa: SLF001 - it is one of us.
        return other

    def wrap(self, events: Sequence[bytes] | bytes) -> bytes:
        """
        Make a body of encoded events.

        Args:
            events: The events' JSON, one by one or joined by commas already.
        """
        if not isinstance(events, bytes):
            events = b",".join(events)
        return b"".join((self.head, events, self.tail))

    def payload(self, events: Iterable[Mapping[str, Any]]) -> Payload:
        """
        Make a request of events, for those who write their own retry class.

        Args:
            events: What to send, as `Payload.events` gives them.

        Raises:
            ValueError: There are none; the service refuses an empty list.

            TypeError: One cannot be JSON.
        """
        encoded = [orjson.dumps(event) for event in events]
        if not encoded:
            raise ValueError("events: a request holds at least one event")
        batch = Batch.of(self.head, encoded, self.tail, ())
        return Payload(
            url=self.url,
            body=batch.body,
            headers=self.headers,
            events=batch.events(),
            timeout=self.timeout,
        )
