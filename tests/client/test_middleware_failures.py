# SPDX-License-Identifier: MIT
"""
Middleware that raises, or hands on what is no event.
"""

from __future__ import annotations

import logging

import pytest

from ringamp import MiddlewarePayload, Status


def sent(collector, client):
    """
    Flush, and read the numbers of the events that the collector took.
    """
    client.flush().result(30)
    return [event["event_id"] for event in collector.ledger.events()]


@pytest.mark.parametrize("interval", [0, 60])
@pytest.mark.parametrize("length", [1, 3])
def test_raising_after_next_does_not_deny_what_is_sent(
    make_client, event, collector, length, interval
):
    """
    The event is in the ring by then: its receipt tells what becomes of it,
    the exception is counted, and the event is not counted as invalid.
    """
    client = make_client(upload_interval_in_sec=interval)

    def fail(payload, next):
        next(payload)
        raise LookupError("of mine")

    for _ in range(length):
        client.add_event_middleware(fail)

    receipts = [client.log_event(event(n)) for n in range(3)]

    assert {receipt.status for receipt in receipts} == {Status.QUEUED}
    assert sent(collector, client) == [0, 1, 2]
    stats = client.stats()
    assert (stats.logged, stats.delivered, stats.invalid) == (3, 3, 0)
    assert stats.middleware_errors == 3


def test_raising_after_an_invalid_event_went_on_counts_it_once(
    make_client, event
):
    """
    The reason is that of the event; the exception has its own counter.
    """
    client = make_client()

    def fail(payload, next):
        del payload.event["event_type"]
        next(payload)
        raise LookupError("of mine")

    client.add_event_middleware(fail)

    receipt = client.log_event(event())

    assert receipt.status is Status.INVALID
    assert receipt.reason.startswith("event_type is missing")
    stats = client.stats()
    assert (stats.invalid, stats.middleware_errors) == (1, 1)


HANDED_ON = {
    "no payload": (None, "has no attribute 'event'"),
    "the bare event": ({"event_type": "t"}, "has no attribute 'event'"),
    "no event": (MiddlewarePayload(None), "event: NoneType given"),
    "a list": (MiddlewarePayload([1]), "event: list given"),
}


@pytest.mark.parametrize("length", [1, 2])
@pytest.mark.parametrize("name", HANDED_ON)
def test_nonsense_handed_on_makes_the_event_invalid(
    make_client, event, name, length
):
    """
    Whatever a middleware gives to *next*: the reason says what, and nothing
    is logged.
    """
    given, words = HANDED_ON[name]
    client = make_client()
    for _ in range(length - 1):
        client.add_event_middleware(lambda payload, next: next(payload))
    client.add_event_middleware(lambda payload, next: next(given))

    receipt = client.log_event(event())

    assert receipt.status is Status.INVALID
    assert words in receipt.reason
    stats = client.stats()
    assert (stats.logged, stats.invalid) == (0, 1)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_the_end_of_the_program_is_not_held_up(make_client, event, error):
    """
    What is no `Exception` is not ours to catch, and harms no later event.
    """
    client = make_client()

    def stop(payload, next):
        if payload.extra:
            raise error
        next(payload)

    client.add_event_middleware(stop)

    with pytest.raises(error):
        client.log_event(event(), "stop")
    assert client.log_event(event()).result(30).status is Status.SUCCESS


class Unshown(Exception):  # noqa: N818 - what it is called does not matter.
    """
    An exception that cannot even be shown.
    """

    def __repr__(self):
        raise LookupError("of mine")


WORDS = {
    "unshown": (Unshown(), "a middleware raised Unshown"),
    "megabytes": (ValueError("x" * 1_000_000), "a middleware raised ValueErr"),
}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("name", WORDS)
def test_the_words_of_an_exception_are_short(
    make_client, event, caplog, name, after
):
    """
    Whatever it is: it is told in a line, and does not reach the caller.
    """
    error, words = WORDS[name]
    client = make_client(log_level="WARN")

    def fail(payload, next):
        if after:
            next(payload)
        raise error

    client.add_event_middleware(fail)

    with caplog.at_level(logging.WARNING, "ringamp"):
        receipt = client.log_event(event())

    assert receipt.status is (Status.QUEUED if after else Status.INVALID)
    assert words in caplog.text
    assert len(caplog.text) < 1000
    assert after or receipt.reason.startswith(words)
