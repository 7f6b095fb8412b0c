# SPDX-License-Identifier: MIT
"""
What `log_event` returns, and what becomes of it.
"""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

import ringamp
from ringamp import Status
from ringamp.collector import Fault


def test_a_receipt_is_queued_then_delivered(make_client, event, collector):
    """
    The status at once is QUEUED; the response later is the service's.
    """
    client = make_client()

    receipt = client.log_event(event(7))

    assert receipt.status is Status.QUEUED
    response = receipt.result(30)
    assert (response.status, response.status_code) == (Status.SUCCESS, 200)
    assert response.body["events_ingested"] == 1
    assert collector.ledger.events()[0]["event_id"] == 7


def test_an_event_object_takes_the_same_road(make_client, collector):
    """
    The fields arrive under their wire names.
    """
    client = make_client()

    client.log_event(
        ringamp.Event("Buy", user_id="somebody", product_id="p-1", price=9.5)
    ).result(30)

    (arrived,) = collector.ledger.events()
    assert arrived["event_type"] == "Buy"
    assert (arrived["productId"], arrived["price"]) == ("p-1", 9.5)


def test_a_receipt_can_be_awaited(make_client, event):
    """
    In an event loop, for many events at once.
    """
    client = make_client()

    async def several():
        """
        Wait for fifty events.
        """
        receipts = [client.log_event(event(n)) for n in range(50)]
        return [await receipt for receipt in receipts]

    answers = asyncio.run(several())

    assert {answer.status for answer in answers} == {Status.SUCCESS}


def test_each_event_of_a_batch_has_its_own_outcome(
    make_client, event, collector
):
    """
    The one that the service names is rejected, its neighbours are delivered.
    """
    collector.faults.add(Fault(indexes=[3]))
    client = make_client(upload_interval_in_sec=60)
    receipts = [client.log_event(event(n)) for n in range(6)]

    client.flush()

    told = [receipt.result(30).status for receipt in receipts]
    assert (
        told == [Status.SUCCESS] * 3 + [Status.INVALID] + [Status.SUCCESS] * 2
    )


def test_a_receipt_answers_long_after(make_client, event):
    """
    Ten thousand events later the first one's outcome is still there.
    """
    client = make_client()
    receipts = [client.log_event(event(n)) for n in range(10_000)]
    client.flush().result(30)

    assert {receipt.result(0).status for receipt in receipts} == {
        Status.SUCCESS
    }


def test_a_timeout_is_a_timeout(make_client, event):
    """
    Waiting has an end where the outcome has none yet.
    """
    client = make_client(upload_interval_in_sec=60)

    with pytest.raises(TimeoutError):
        client.log_event(event()).result(0.01)


def test_a_cancelled_waiter_harms_no_other(make_client, event):
    """
    Of those who wait for one event, each gives up for itself alone: by a
    cancelled future, a cancelled task, or a timeout.
    """
    client = make_client(upload_interval_in_sec=60)
    receipt = client.log_event(event())
    given_up, kept = receipt.future(), receipt.future()
    assert given_up.cancel()
    with pytest.raises(TimeoutError):
        receipt.result(0.01)

    async def wait():
        """
        Let three tasks wait.
        """

        async def one():
            """
            Wait for the receipt.
            """
            return await receipt

        tasks = [asyncio.create_task(one()) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.sleep(0)
        client.flush()
        return await asyncio.gather(*tasks, return_exceptions=True)

    cancelled, *told = asyncio.run(wait())

    assert isinstance(cancelled, asyncio.CancelledError)
    assert {answer.status for answer in told} == {Status.SUCCESS}
    assert kept.result(30).status is Status.SUCCESS
    assert receipt.result(0).status is Status.SUCCESS
    assert given_up.cancelled()


def test_many_threads_may_wait_for_one_event(make_client, event):
    """
    All of them are told, whether they asked before or after.
    """
    client = make_client(upload_interval_in_sec=60)
    receipt = client.log_event(event())
    told = []
    threads = [
        threading.Thread(target=lambda: told.append(receipt.result(30)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    client.flush()
    for thread in threads:
        thread.join(30)

    assert [answer.status for answer in told] == [Status.SUCCESS] * 8


def test_a_callback_of_a_future_may_log_and_may_raise(make_client, event):
    """
    It runs on the thread that sends, without any lock: what it logs is sent,
    and what it raises harms nobody.
    """
    client = make_client()
    inner = []

    def log_more(future):
        inner.append(client.log_event(event(2)))
        raise LookupError("of mine")

    receipt = client.log_event(event(1))
    receipt.future().add_done_callback(log_more)

    assert receipt.result(30).status is Status.SUCCESS
    client.flush().result(30)
    assert inner[0].result(30).status is Status.SUCCESS


def test_a_receipt_outlives_its_client(make_client, event):
    """
    Shut down, or begun anew: what was learnt stays known, and a new event's
    outcome is not mistaken for an old one's.
    """
    client = make_client()
    old = client.log_event(event(1))
    client.init("another-key", transport_class=ringamp.MemoryTransport([403]))
    new = client.log_event(event(2))

    assert new.result(30).status_code == 403
    assert old.result(0).status_code == 200
    client.shutdown()
    assert (new.result(0).status_code, old.result(0).status_code) == (403, 200)


KNOWN = {
    "opted out": ({"opt_out": True}, {}, Status.SKIPPED),
    "invalid": ({}, {"event_type": None}, Status.INVALID),
}


@pytest.mark.parametrize("name", KNOWN)
def test_what_was_not_queued_has_its_response_at_once(
    make_client, event, name
):
    """
    In every way of asking for it.
    """
    options, fields, status = KNOWN[name]
    receipt = make_client(**options).log_event(event(**fields))

    async def wait():
        """
        Wait for the receipt.
        """
        return await receipt

    assert receipt.status is status
    assert receipt.response.status is status
    assert receipt.reason
    assert receipt.result(0) is receipt.future().result(0)
    assert asyncio.run(wait()) is receipt.response


def test_a_receipt_says_queued_until_its_event_is_settled(
    make_client, event, held
):
    """
    The response is None as long as the request is under way, and told at the
    same moment to all who ask.
    """
    client = make_client(transport_class=held)
    receipt = client.log_event(event())

    assert receipt.response is None
    assert receipt.reason is None
    assert not receipt.future().done()
    held.let_go.set()
    assert receipt.result(30) is receipt.response
    assert receipt.status is Status.QUEUED


def test_a_receipt_is_small_and_shows_no_event(make_client, event):
    """
    Servers may keep thousands of them; its repr may be logged.
    """
    receipt = make_client().log_event(event(user_id="a-secret-person"))

    assert "a-secret-person" not in repr(receipt)
    assert not gc.is_tracked(receipt)
    with pytest.raises(AttributeError):
        receipt.status = Status.SUCCESS


@pytest.mark.parametrize(
    "error", [SystemExit, KeyboardInterrupt, asyncio.CancelledError]
)
def test_a_callback_of_a_future_cannot_end_the_thread_that_sends(
    make_client, event, error, caplog
):
    """
    What a future lets pass is logged; the others who wait are told, and the
    next event is sent.
    """
    client = make_client(upload_interval_in_sec=60, log_level="ERROR")

    def leave(future):
        raise error

    receipt = client.log_event(event(1))
    receipt.future().add_done_callback(leave)
    other = receipt.future()
    flush = client.flush()

    assert other.result(30).status is Status.SUCCESS
    assert flush.result(30).status is Status.SUCCESS
    client.log_event(event(2))
    assert client.flush().result(30).status is Status.SUCCESS
    assert f"a callback of a future raised {error.__name__}" in caplog.text
