# SPDX-License-Identifier: MIT
"""
Tests of `Revenue`.
"""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from ringamp.errors import InvalidEventError
from ringamp.events.encoding import encode_sendable
from ringamp.events.revenue import Revenue, revenue_event


def test_mapping():
    """
    Each field is the event property of its name with "$".
    """
    revenue = Revenue(
        price=9.99,
        quantity=2,
        revenue=19.98,
        product_id="p",
        revenue_type="t",
        currency="EUR",
        receipt="r",
        receipt_sig="s",
        properties={"shop": "x"},
    )

    assert revenue_event(revenue, "user1", "device1") == {
        "event_type": "revenue_amount",
        "user_id": "user1",
        "device_id": "device1",
        "event_properties": {
            "shop": "x",
            "$price": 9.99,
            "$quantity": 2,
            "$revenue": 19.98,
            "$productId": "p",
            "$revenueType": "t",
            "$currency": "EUR",
            "$receipt": "r",
            "$receiptSig": "s",
        },
    }


@pytest.mark.parametrize(
    ("price", "sent"),
    [
        (5, b'"$price":5}'),
        (Decimal("0.10"), b'"$price":0.10}'),
        (-3.5, b'"$price":-3.5}'),
        (0, b'"$price":0}'),
    ],
)
def test_p16_every_kind_of_number(price, sent):
    """
    P16: a price may be an int, a float or a Decimal; negative is a refund.
    """
    event = revenue_event(Revenue(price=price), "user1", None)

    assert event["event_properties"] == {"$quantity": 1, "$price": price}
    assert sent in encode_sendable(event)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "neither price nor revenue given, one is needed"),
        ({"quantity": 3}, "neither price nor revenue given"),
        ({"price": "9.99"}, "price: str given; allowed is None or a finite"),
        ({"price": True}, "price: bool given"),
        ({"price": math.nan}, "price: nan given"),
        ({"price": Decimal("sNaN")}, "price: sNaN given"),
        ({"revenue": math.inf}, "revenue: inf given"),
        ({"price": 1, "quantity": 1.5}, "quantity: 1.5 given; allowed is an"),
        ({"price": 1, "quantity": None}, "quantity: NoneType given"),
        ({"price": 1, "quantity": True}, "quantity: bool given"),
        ({"price": 1, "currency": 5}, "currency: int given; allowed is None"),
        ({"price": 1, "properties": [1]}, "properties: list given"),
    ],
)
def test_invalid(fields, reason):
    """
    What cannot be sent says why, and makes no event.
    """
    revenue = Revenue(**fields)

    assert not revenue.is_valid()
    assert not revenue.isValid()
    assert reason in revenue.reason
    with pytest.raises(InvalidEventError, match=r"^revenue: "):
        revenue_event(revenue, "user1", None)


@pytest.mark.parametrize("fields", [{"price": 0}, {"revenue": -1.5}])
def test_one_amount_is_enough(fields):
    """
    Either of price and revenue is enough, and zero is an amount.
    """
    assert Revenue(**fields).is_valid()
    assert Revenue(**fields).reason is None


def test_properties_are_not_touched():
    """
    The caller's dict stays as it was, and the revenue's own fields win.
    """
    properties = {"$price": 1, "a": 2}

    event = revenue_event(Revenue(price=3, properties=properties), "u", None)

    assert properties == {"$price": 1, "a": 2}
    assert event["event_properties"] == {"$price": 3, "a": 2, "$quantity": 1}


def test_what_is_no_revenue():
    """
    A bare number is refused with a reason.
    """
    with pytest.raises(InvalidEventError, match="float given; allowed is a"):
        revenue_event(9.99, "user1", None)
