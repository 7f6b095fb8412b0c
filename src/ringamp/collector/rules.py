# SPDX-License-Identifier: MIT
"""
The APIs of the service as functions: a request in, an answer out.

Nothing here reads a clock, a socket or a file; the time is an argument, and
`State` holds what the service would remember.

A request passes these gates in order; the first that refuses, answers:

    path, method     400 Invalid request path, 405
    body             413; gzip; 400 Missing request body, not JSON, no form
    api_key, events  400 with missing_field; 400 Invalid API key
    count            413
    content          403
    each event       400 that names fields and indexes
    devices          400 silenced
    rates, quotas    429
    insert_ids       200; a repeated one is dropped

What is taken is trimmed as the service trims it. Inside, a refusal is an
exception, translated once, in `answer`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ringamp.collector import bodies
from ringamp.collector.bodies import Body
from ringamp.collector.fields import PROPERTIES, Event
from ringamp.collector.findings import Findings
from ringamp.collector.losses import Loss
from ringamp.collector.reading import (
    Refusal,
    Request,
    Upload,
    unpack,
    upload_of,
)
from ringamp.collector.settings import (
    GROUP_IDENTIFY_PATH,
    IDENTIFY_PATH,
    Limits,
    Settings,
)
from ringamp.collector.state import State
from ringamp.collector.throttle import Case, judge, remember
from ringamp.collector.trimming import trim

METHODS = {
    IDENTIFY_PATH: frozenset({"POST", "GET"}),
    GROUP_IDENTIFY_PATH: frozenset({"POST", "GET"}),
}
"""Those of the APIs that take more than POST."""

POST = frozenset({"POST"})


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

        unapplied: How many were taken, and their user properties left.

        losses: What got lost and is not told.
    """

    status: int
    body: Body | str
    taken: Sequence[Event] = ()
    duplicates: Sequence[Event] = ()
    rejected: int = 0
    unread: int = 0
    unapplied: int = 0
    losses: Sequence[Loss] = ()


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


def _answer(
    request: Request, settings: Settings, state: State, now: float
) -> Answer:
    limits = settings.limits_of(request.path)
    if limits is None:
        raise Refusal(bodies.refused(400, bodies.INVALID_PATH))
    if request.method not in METHODS.get(request.path, POST):
        raise Refusal(bodies.refused(405))
    plain = unpack(request, limits)
    upload = upload_of(request, plain, settings)
    events = _events_of(upload, settings, limits)
    _check_content(plain, settings, len(events))
    findings = Findings(_min_id_length(upload), settings, limits)
    for index, event in enumerate(events):
        findings.look_at(event, index)
    if findings:
        raise Refusal(findings.told(), len(events))
    case = Case(
        events, upload["api_key"], request.path, limits, settings, state, now
    )
    return _take(case, len(plain), findings.losses)


def _events_of(
    upload: Upload, settings: Settings, limits: Limits
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
    most = limits.max_properties
    if most is not None and sum(map(_properties, events)) > most:
        raise Refusal(bodies.refused(413), sent)
    return events


def _properties(event: Event) -> int:
    """
    Return how many properties *event* has; those of operations count each.
    """
    count = 0
    for field in PROPERTIES:
        told = event.get(field)
        for name, value in told.items() if type(told) is dict else ():
            is_operation = name.startswith("$") and type(value) is dict
            count += len(value) if is_operation else 1
    return count


def _min_id_length(upload: Upload) -> int:
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


def _take(case: Case, size: int, losses: list[Loss]) -> Answer:
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
    noticed, unapplied = remember(case, innocent)
    losses += noticed
    taken: list[Event] = innocent
    duplicates: list[Event] = []
    if case.settings.dedupe:
        taken, duplicates = _dedupe(innocent, case)
    for event in taken:
        losses += trim(event, case.settings)
    status, body = 429, refusal
    if body is None:
        status = 200
        body = bodies.taken(len(innocent), size, int(case.now * 1000))
    return Answer(
        status,
        body,
        taken,
        duplicates,
        len(refused),
        unapplied=unapplied,
        losses=losses,
    )


def _dedupe(
    events: list[Event], case: Case
) -> tuple[list[Event], list[Event]]:
    """
    Part the new events from those whose insert_id is known in the project.
    """
    taken: list[Event] = []
    known: list[Event] = []
    seen = case.state.seen
    oldest = case.now - case.settings.dedupe_seconds
    for event in events:
        insert_id = event.get("insert_id")
        # Without a device_id the service derives one from the user_id.
        owner = event.get("device_id") or event.get("user_id")
        if insert_id is None or seen.add(
            (case.api_key, insert_id, owner), case.now, oldest
        ):
            taken.append(event)
        else:
            known.append(event)
    return taken, known
