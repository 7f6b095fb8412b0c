# SPDX-License-Identifier: MIT
"""
The HTTP V2 and batch APIs as functions: a request in, an answer out.

Nothing here reads a clock, a socket or a file; the time is an argument, and
`State` holds what the service would remember.

A request passes these gates in order; the first that refuses, answers:

    path, method     400 Invalid request path, 405
    body             400 Missing request body; 413; gzip; 400 not JSON
    api_key, events  400 with missing_field; 400 Invalid API key
    count            413
    content          403
    each event       400 that names fields and indexes
    devices          400 silenced
    rates, quotas    429
    insert_ids       200; a repeated one is dropped

Inside, a refusal is an exception, translated once, in `answer`.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson

from ringamp.collector import bodies
from ringamp.collector.bodies import Body
from ringamp.collector.fields import (
    Event,
    invalid_fields,
    is_forbidden_device,
    is_forbidden_id,
)
from ringamp.collector.settings import Limits, Settings
from ringamp.collector.state import State
from ringamp.collector.throttle import Case, judge, remember

BYTES_WITHOUT_LIMIT = 256_000_000
"""What a body may unpack to where no limit is set: memory is one."""

NEED_NO_ID = frozenset({"$groupidentify"})
"""Events about a group, not a user: published clients send no id."""

IDS = {"user_id": is_forbidden_id, "device_id": is_forbidden_device}
"""The two ids, and what each may not be."""


class Request(msgspec.Struct, frozen=True):
    """
    A request as it came over the wire.

    Attributes:
        method: POST, one hopes.

        path: Where to, without a query.

        headers: By lower-case name.

        body: As sent, perhaps packed; empty if larger than any limit.

        size: Bytes of the body as sent.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    size: int


class Answer(msgspec.Struct, frozen=True):
    """
    What the service says, and what it did.

    Attributes:
        status: The HTTP status.

        body: An object, or text that is no JSON.

        taken: The new events, in order.

        duplicates: The events dropped for their insert_id.

        rejected: How many events were sent and not taken.

        unread: How many were taken without a look at them.
    """

    status: int
    body: Body | str
    taken: Sequence[Event] = ()
    duplicates: Sequence[Event] = ()
    rejected: int = 0
    unread: int = 0


class Refusal(Exception):  # noqa: N818 - an answer, not an error of ours.
    """
    Strictly private: a gate that did not let the request pass.
    """

    def __init__(self, body: Body, events: int = 0) -> None:
        super().__init__(body["error"])
        self.body = body
        self.events = events


class Findings:
    """
    Strictly private: what is wrong with which events, by field.
    """

    def __init__(self) -> None:
        self.invalid: dict[str, list[int]] = {}
        self.missing: dict[str, list[int]] = {}
        self.lengths: dict[str, list[int]] = {}

    def any(self) -> bool:
        """
        Say whether anything is wrong.
        """
        return bool(self.invalid or self.missing or self.lengths)

    def told(self, *, first_only: bool) -> Body:
        """
        Return the body that tells.
        """
        last = 1 if first_only else None
        families = [
            {
                field: sorted(indexes)[:last]
                for field, indexes in family.items()
            }
            for family in (self.invalid, self.missing, self.lengths)
        ]
        return bodies.bad_events(*families)


def answer(
    request: Request, settings: Settings, state: State, now: float
) -> Answer:
    """
    Answer *request* as the service would, and remember it in *state*.

    Args:
        request: What came.

        settings: How strict to be.

        state: The service's memory.

        now: Seconds since the epoch.
    """
    try:
        return _answer(request, settings, state, now)
    except Refusal as refusal:
        return Answer(
            refusal.body["code"], refusal.body, rejected=refusal.events
        )


def events_in(request: Request) -> list[Event]:
    """
    Return the events of *request*, [] if they cannot be read.
    """
    try:
        plain = _unpack(request, Limits(max_bytes=None))
        events = orjson.loads(plain)["events"]
    except (Refusal, ValueError, TypeError, KeyError):
        return []
    if type(events) is not list:
        return []
    return [event for event in events if type(event) is dict]


def _answer(
    request: Request, settings: Settings, state: State, now: float
) -> Answer:
    limits = settings.limits_of(request.path)
    if limits is None:
        raise Refusal(bodies.refused(400, bodies.INVALID_PATH))
    if request.method != "POST":
        raise Refusal(bodies.refused(405))
    plain = _unpack(request, limits)
    upload = _parse(plain, request.headers)
    events = _events_of(upload, settings, limits)
    _check_content(plain, settings, len(events))
    _check_events(events, _min_id_length(upload), settings, limits)
    case = Case(events, request.path, limits, settings, state, now)
    return _take(case, len(plain))


def _unpack(request: Request, limits: Limits) -> bytes:
    """
    Return the JSON of *request*, which stays below the limit of bytes.

    Packed, it is one member of gzip, whole, with nothing behind it.
    """
    if not request.size:
        raise Refusal(bodies.refused(400, bodies.MISSING_BODY))
    limit = limits.max_bytes or BYTES_WITHOUT_LIMIT
    if request.size >= limit:
        raise Refusal(bodies.refused(413))
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding == "identity":
        return request.body
    if encoding != "gzip":
        raise Refusal(bodies.refused(400))
    # Never unpack more than may be: 1 MB of gzip can hold a gigabyte.
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(request.body, limit)
    except zlib.error:
        raise Refusal(bodies.refused(400)) from None
    if len(plain) >= limit:
        raise Refusal(bodies.refused(413))
    if not unpacker.eof or unpacker.unused_data:
        raise Refusal(bodies.refused(400))
    return plain


def _parse(plain: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    """
    Return the object that the body holds.
    """
    content_type = headers.get("content-type", "").partition(";")[0]
    if content_type.strip().lower() != "application/json":
        raise Refusal(bodies.refused(400))
    try:
        upload = orjson.loads(plain)
    except ValueError:
        raise Refusal(bodies.refused(400)) from None
    if type(upload) is not dict:
        raise Refusal(bodies.refused(400))
    return upload


def _events_of(
    upload: dict[str, Any], settings: Settings, limits: Limits
) -> list[Event]:
    """
    Return the events of an upload that has a key and not too many events.
    """
    events = upload.get("events")
    sent = len(events) if type(events) is list else 0
    key = upload.get("api_key")
    if key is None:
        raise Refusal(
            bodies.refused(400, bodies.MISSING_FIELD, "api_key"), sent
        )
    known = settings.api_keys
    if type(key) is not str or not key or (known and key not in known):
        raise Refusal(bodies.refused(400, bodies.INVALID_KEY), sent)
    # An empty list is taken for none; the documentation is silent on it.
    if events is None or events == []:
        raise Refusal(bodies.refused(400, bodies.MISSING_FIELD, "events"))
    if type(events) is not list:
        raise Refusal(bodies.refused(400, bodies.INVALID_EVENT))
    if limits.max_events is not None and sent > limits.max_events:
        raise Refusal(bodies.refused(413), sent)
    if not all(type(event) is dict for event in events):
        raise Refusal(bodies.refused(400, bodies.INVALID_EVENT), sent)
    return events


def _min_id_length(upload: dict[str, Any]) -> int:
    """
    Return the option of that name, 5 if it is not given.
    """
    options = upload.get("options")
    if options is None:
        return 5
    length = options.get("min_id_length") if type(options) is dict else -1
    if length is None:
        return 5
    if type(length) is not int or length < 0:
        raise Refusal(bodies.refused(400), len(upload["events"]))
    return length


def _check_content(plain: bytes, settings: Settings, sent: int) -> None:
    """
    Refuse a body that the content filter does not like.
    """
    for text in settings.forbidden_text:
        if text.encode() in plain:
            raise Refusal(bodies.refused(403), sent)


def _check_events(
    events: list[Event],
    min_id_length: int,
    settings: Settings,
    limits: Limits,
) -> None:
    """
    Refuse the request if one event is not as it should be.

    An id that is only removed is removed from *events* here.
    """
    lengths = range(min_id_length, settings.max_id_length + 1)
    findings = Findings()
    for index, event in enumerate(events):
        for field in set(invalid_fields(event)):
            findings.invalid.setdefault(field, []).append(index)
        if event.get("event_type") is None:
            findings.missing.setdefault("event_type", []).append(index)
        _check_ids(event, index, lengths, limits, findings)
    if findings.any():
        raise Refusal(
            findings.told(first_only=settings.first_error_only), len(events)
        )


def _check_ids(
    event: Event,
    index: int,
    lengths: range,
    limits: Limits,
    findings: Findings,
) -> None:
    """
    Look at the ids of one event, whose length must be in *lengths*.
    """
    given = [field for field in IDS if event.get(field) is not None]
    if not given and str(event.get("event_type")) not in NEED_NO_ID:
        for field in IDS:
            findings.missing.setdefault(field, []).append(index)
    wrong = []
    for field in given:
        value = event[field]
        if type(value) is not str:
            continue  # Found among the fields already.
        if IDS[field](value):
            findings.invalid.setdefault(field, []).append(index)
        elif len(value) not in lengths:
            wrong.append(field)
    spare = not limits.refuse_short_ids and len(given) > len(wrong)
    for field in wrong:
        if spare and len(event[field]) < lengths.start:
            del event[field]
        else:
            findings.lengths.setdefault(field, []).append(index)


def _take(case: Case, size: int) -> Answer:
    """
    Take the events, but those that are silenced, throttled or known.
    """
    refusal, refused = judge(case)
    if refusal is not None and not (
        case.settings.take_innocent and refusal["code"] == 429
    ):
        raise Refusal(refusal, len(case.events))
    innocent = [
        event
        for index, event in enumerate(case.events)
        if index not in refused
    ]
    remember(case, innocent)
    taken: list[Event] = innocent
    duplicates: list[Event] = []
    if case.settings.dedupe:
        taken, duplicates = _dedupe(innocent, case.state)
    if refusal is not None:
        return Answer(429, refusal, taken, duplicates, len(refused))
    body = bodies.taken(len(innocent), size, int(case.now * 1000))
    return Answer(200, body, taken, duplicates)


def _dedupe(
    events: list[Event], state: State
) -> tuple[list[Event], list[Event]]:
    """
    Part the new events from those whose insert_id is known.
    """
    taken: list[Event] = []
    known: list[Event] = []
    is_new = state.seen.add
    for event in events:
        insert_id = event.get("insert_id")
        # Without a device_id the service derives one from the user_id.
        owner = event.get("device_id") or event.get("user_id")
        if insert_id is None or is_new(insert_id, owner):
            taken.append(event)
        else:
            known.append(event)
    return taken, known
