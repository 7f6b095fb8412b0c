# SPDX-License-Identifier: MIT
"""
Middleware: order, stopping, changing, failing.
"""

from __future__ import annotations

import copy
import functools
import logging
import threading

import pytest

import ringamp
from ringamp import MiddlewarePayload, Status
from ringamp.errors import InvalidEventError, OptionsError


def arrived(collector, client):
    """
    Flush, and read what the collector took.
    """
    client.flush().result(30)
    return collector.ledger.events()


@pytest.mark.parametrize("length", [1, 2, 5])
def test_the_chain_runs_in_order_with_extra(
    make_client, event, collector, length
):
    """
    Each middleware sees what the one before it made, and the same extra.
    """
    client = make_client()
    for number in range(length):

        def add(payload, next, number=number):
            steps = payload.event.setdefault("event_properties", {})
            steps.setdefault("steps", []).append([number, payload.extra])
            next(payload)

        client.add_event_middleware(add)

    receipt = client.log_event(event(), "more")

    assert receipt.result(30).status is Status.SUCCESS
    steps = arrived(collector, client)[0]["event_properties"]["steps"]
    assert steps == [[number, "more"] for number in range(length)]


def test_the_callers_event_is_never_changed(make_client, event, collector):
    """
    Not even deep inside, and not by changes after the call either (T11).
    """
    client = make_client(upload_interval_in_sec=60)
    mine = event(event_properties={"list": [{"a": [1]}], "dict": {"b": 2}})
    before = copy.deepcopy(mine)

    def change(payload, next):
        payload.event["event_properties"]["list"][0]["a"].append(2)
        payload.event["event_properties"]["dict"]["b"] = 3
        payload.event["new"] = True
        next(payload)

    client.add_event_middleware(change)
    client.log_event(mine)
    assert mine == before
    mine["event_properties"]["dict"]["b"] = "later"

    sent = arrived(collector, client)[0]
    assert sent["event_properties"] == {
        "list": [{"a": [1, 2]}],
        "dict": {"b": 3},
    }
    assert sent["new"] is True


def test_not_calling_next_stops_the_event(make_client, event, collector):
    """
    SKIPPED, counted, not sent; the next event is unaffected.
    """
    client = make_client()
    client.add_event_middleware(
        lambda payload, next: payload.event["event_id"] and next(payload)
    )

    stopped, gone_on = client.log_event(event(0)), client.log_event(event(1))

    assert stopped.status is Status.SKIPPED
    assert stopped.result(0).status is Status.SKIPPED
    assert gone_on.status is Status.QUEUED
    assert [e["event_id"] for e in arrived(collector, client)] == [1]
    stats = client.stats()
    assert (stats.skipped, stats.logged) == (1, 1)


@pytest.mark.parametrize("length", [1, 3])
def test_next_twice_logs_once(make_client, event, collector, caplog, length):
    """
    The second call is warned about and changes nothing.
    """
    client = make_client(log_level="WARN")

    def twice(payload, next):
        next(payload)
        next(payload)

    for _ in range(length):
        client.add_event_middleware(twice)

    with caplog.at_level(logging.WARNING, "ringamp"):
        receipt = client.log_event(event())

    assert receipt.status is Status.QUEUED
    assert len(arrived(collector, client)) == 1
    assert client.stats().logged == 1
    assert "called next again" in caplog.text


def test_next_may_be_called_later(make_client, event, collector):
    """
    The event is sent, although its receipt said SKIPPED: nobody knew then.
    """
    client = make_client()
    kept = []
    client.add_event_middleware(lambda *both: kept.append(both))

    assert client.log_event(event(1)).status is Status.SKIPPED
    payload, next_one = kept.pop()
    next_one(payload)

    assert len(arrived(collector, client)) == 1


def test_another_payload_may_be_handed_on(make_client, event, collector):
    """
    As in the Node SDK, where payloads are plain objects.
    """
    client = make_client()
    client.add_event_middleware(
        lambda payload, next: next(
            MiddlewarePayload({**payload.event, "event_id": 9})
        )
    )

    client.log_event(event(1))

    assert arrived(collector, client)[0]["event_id"] == 9


def test_a_middleware_that_raises_harms_its_event_alone(
    make_client, event, collector
):
    """
    T10: INVALID with the reason, counted; the next event goes through.
    """
    client = make_client()

    def fail(payload, next):
        if payload.event["event_id"] == 0:
            raise LookupError("of mine")
        next(payload)

    client.add_event_middleware(fail)

    bad, good = client.log_event(event(0)), client.log_event(event(1))

    assert bad.status is Status.INVALID
    assert "LookupError('of mine')" in bad.reason
    assert good.result(30).status is Status.SUCCESS
    stats = client.stats()
    assert (stats.middleware_errors, stats.invalid) == (1, 1)


def test_a_middleware_may_log_itself(make_client, event, collector):
    """
    P10: no lock is held while it runs.
    """
    client = make_client()

    def more(payload, next):
        if payload.extra is None:
            client.log_event({**payload.event, "event_id": 100}, "inner")
        next(payload)

    client.add_event_middleware(more)
    client.log_event(event(1))

    assert {e["event_id"] for e in arrived(collector, client)} == {1, 100}


def test_what_a_middleware_makes_invalid_is_invalid(make_client, event):
    """
    The reason names the field; the middleware does not see an exception.
    """
    client = make_client()
    seen = []

    def spoil(payload, next):
        payload.event["event_properties"] = {"x": object()}
        try:
            next(payload)
        except Exception as error:
            seen.append(error)

    client.add_event_middleware(spoil)

    receipt = client.log_event(event())

    assert receipt.status is Status.INVALID
    assert receipt.reason.startswith("event_properties.x")
    assert seen == []
    assert client.stats().invalid == 1


def test_strict_lets_everything_through(make_client, event):
    """
    For tests and development: exceptions of middleware and of bad events.
    """
    client = make_client(strict=True)

    def fail(payload, next):
        if payload.extra:
            raise LookupError("of mine")
        next(payload)

    client.add_event_middleware(fail)

    with pytest.raises(LookupError, match="of mine"):
        client.log_event(event(), "fail")
    with pytest.raises(InvalidEventError, match="event_type"):
        client.log_event({"user_id": "somebody"})


def test_an_event_object_goes_through_as_a_dict(make_client, collector):
    """
    Middleware need not know both kinds.
    """
    client = make_client()
    kinds = []
    client.add_event_middleware(
        lambda payload, next: (
            kinds.append(type(payload.event)),
            next(payload),
        )
    )

    client.log_event(ringamp.Event("Buy", user_id="somebody"))

    assert kinds == [dict]
    assert arrived(collector, client)[0]["event_type"] == "Buy"


def test_middleware_and_defaults_go_together(make_client, event, collector):
    """
    The options' plan is put under what comes out of the chain.
    """
    client = make_client(plan={"branch": "main", "version": "1"})
    client.add_event_middleware(lambda payload, next: next(payload))

    client.log_event(event(plan={"version": "2"}))

    sent = arrived(collector, client)[0]
    assert sent["plan"] == {"branch": "main", "version": "2"}


def test_what_is_no_function_is_refused(make_client):
    """
    The error names what was given.
    """
    with pytest.raises(OptionsError, match="middleware: int given"):
        make_client().add_event_middleware(3)


async def coroutine(payload, next):
    """
    Begin only when awaited.
    """
    next(payload)


def generator(payload, next):
    """
    Begin only when iterated over.
    """
    yield next(payload)


async def asynchronous_generator(payload, next):
    """
    Begin only when iterated over.
    """
    yield next(payload)


class Late:
    """
    An object whose call is a coroutine function.
    """

    async def __call__(self, payload, next):
        """
        Begin only when awaited.
        """
        next(payload)

    async def method(self, payload, next):
        """
        Begin only when awaited.
        """


@pytest.mark.parametrize(
    "late",
    [
        coroutine,
        generator,
        asynchronous_generator,
        functools.partial(coroutine),
        Late(),
        Late().method,
    ],
    ids=["coroutine", "generator", "both", "partial", "object", "method"],
)
def test_a_function_that_begins_later_is_refused(make_client, late):
    """
    Each of its events would end as one that was stopped.
    """
    client = make_client()

    with pytest.raises(OptionsError, match=r"(coroutine|generator) function"):
        client.add_event_middleware(late)


def test_middleware_can_be_removed(make_client, event, collector):
    """
    What comes later does not pass through it; what is left keeps its order.
    """

    class Note:
        def __init__(self):
            self.seen = []

        def note(self, payload, next):
            self.seen.append(payload.event["event_id"])
            next(payload)

    first, second = Note(), Note()
    client = make_client()
    client.add_event_middleware(first.note)
    client.add_event_middleware(second.note)
    client.log_event(event(1))
    client.remove_event_middleware(first.note)
    client.log_event(event(2))
    client.removeEventMiddleware(second.note)
    client.log_event(event(3))

    assert len(arrived(collector, client)) == 3
    assert (first.seen, second.seen) == ([1], [1, 2])
    with pytest.raises(OptionsError, match="that was not added"):
        client.remove_event_middleware(first.note)


def test_an_event_object_may_be_handed_on(make_client, event, collector):
    """
    A middleware may make another event, of either kind.
    """
    client = make_client()
    client.add_event_middleware(
        lambda payload, next: next(
            MiddlewarePayload(ringamp.Event("Other", user_id="somebody"))
        )
    )

    client.log_event(event())

    assert arrived(collector, client)[0]["event_type"] == "Other"


def test_next_may_be_called_by_another_thread(make_client, event, collector):
    """
    Before the middleware returns or after: the event is logged once.
    """
    client = make_client()
    threads = []

    def elsewhere(payload, next):
        threads.append(threading.Thread(target=next, args=(payload,)))
        threads[-1].start()
        if payload.event["event_id"]:
            threads[-1].join()

    client.add_event_middleware(elsewhere)
    client.log_event(event(0))
    waited = client.log_event(event(1))
    for thread in threads:
        thread.join(30)

    assert waited.status is Status.QUEUED
    numbers = {e["event_id"] for e in arrived(collector, client)}
    assert numbers == {0, 1}
    assert client.stats().logged == 2


def test_a_middleware_that_is_added_later_sees_later_events(
    make_client, event, collector
):
    """
    Those logged before it are as they were.
    """
    client = make_client(upload_interval_in_sec=60)

    def mark(payload, next):
        payload.event["marked"] = True
        next(payload)

    client.log_event(event(0))
    assert client.add_event_middleware(mark) is client
    client.log_event(event(1))

    marks = [e.get("marked") for e in arrived(collector, client)]
    assert marks == [None, True]


def test_middleware_outlives_init(make_client, event, collector):
    """
    It belongs to the client, not to its options.
    """
    client = make_client()
    client.add_event_middleware(
        lambda payload, next: (
            payload.event.update(marked=True),
            next(payload),
        )
    )
    client.init("another-key", server_url=collector.url)

    client.log_event(event())

    assert arrived(collector, client)[0]["marked"] is True


def test_a_shorthand_goes_through_the_chain(make_client, collector):
    """
    Calls of identify and revenue make events like others.
    """
    client = make_client()
    types = []
    client.add_event_middleware(
        lambda payload, next: (
            types.append(payload.event["event_type"]),
            next(payload),
        )
    )
    client.identify("somebody", None, ringamp.Identify().set("a", 1))
    client.revenue(ringamp.Revenue(price=1), user_id="somebody")

    assert len(arrived(collector, client)) == 2
    assert types == ["$identify", "revenue_amount"]
