# SPDX-License-Identifier: MIT
"""
What `log_event` returns, and what becomes of it.
"""

from __future__ import annotations

import asyncio

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
    response = receipt.result(5)
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
    ).result(5)

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

    told = [receipt.result(5).status for receipt in receipts]
    assert (
        told == [Status.SUCCESS] * 3 + [Status.INVALID] + [Status.SUCCESS] * 2
    )


def test_a_receipt_answers_long_after(make_client, event):
    """
    Ten thousand events later the first one's outcome is still there.
    """
    client = make_client()
    receipts = [client.log_event(event(n)) for n in range(10_000)]
    client.flush().result(10)

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
