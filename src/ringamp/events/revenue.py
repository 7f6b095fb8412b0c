# SPDX-License-Identifier: MIT
"""
`Revenue`: what was bought, and the event that says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from ringamp.errors import InvalidEventError
from ringamp.events.identify import id_fields

_WIRE: Mapping[str, str] = {
    "product_id": "$productId",
    "quantity": "$quantity",
    "price": "$price",
    "revenue_type": "$revenueType",
    "receipt": "$receipt",
    "receipt_sig": "$receiptSig",
    "revenue": "$revenue",
    "currency": "$currency",
}
"""Our name of each field to the event property that carries it."""


class Revenue(msgspec.Struct, omit_defaults=True):
    """
    A purchase, or with a negative amount a refund.

    Attributes:
        price: Of one piece; an int, float or Decimal.

        quantity: How many pieces.

        revenue: The whole amount, used where *price* is None.

        product_id: What was bought.

        revenue_type: For example "purchase" or "refund".

        currency: Three capital letters, ISO 4217.

        receipt: The store's receipt.

        receipt_sig: The receipt's signature.

        properties: Other properties of the event.
    """

    price: float | Decimal | None = None
    quantity: int = 1
    revenue: float | Decimal | None = None
    product_id: str | None = None
    revenue_type: str | None = None
    currency: str | None = None
    receipt: str | None = None
    receipt_sig: str | None = None
    properties: dict[str, Any] | None = None

    @property
    def reason(self) -> str | None:
        """
        Why this cannot be sent, in words; None if it can.
        """
        for name, (allowed, accepts) in _RULES.items():
            value = getattr(self, name)
            if not accepts(value):
                number = isinstance(value, float | Decimal)
                given = str(value) if number else type(value).__name__
                return f"revenue: {name}: {given} given; allowed is {allowed}"
        if self.price is None and self.revenue is None:
            return "revenue: neither price nor revenue given, one is needed"
        return None

    def is_valid(self) -> bool:
        """
        Whether this can be sent.
        """
        return self.reason is None

    # camelCase twins for users coming from @amplitude/node.
    isValid = is_valid


def revenue_event(
    revenue: Revenue, user_id: str | None, device_id: str | None
) -> dict[str, Any]:
    """
    Build the event that carries *revenue*.

    Args:
        revenue: What was bought.

        user_id: Who.

        device_id: On what; one of the two is needed.

    Returns:
        The event with its wire names. Where *properties* holds one of the
        names that begin with "$", the field of *revenue* wins.

    Raises:
        InvalidEventError: *revenue* is none, or cannot be sent.
    """
    if not isinstance(revenue, Revenue):
        raise InvalidEventError(
            f"revenue: object of type {type(revenue).__name__} given;"
            " allowed is a Revenue"
        )
    if revenue.reason is not None:
        raise InvalidEventError(revenue.reason)
    given = {wire: getattr(revenue, name) for name, wire in _WIRE.items()}
    set_fields = {
        wire: value for wire, value in given.items() if value is not None
    }
    return {
        "event_type": "revenue_amount",
        **id_fields(user_id, device_id),
        "event_properties": {**(revenue.properties or {}), **set_fields},
    }


def _is_amount(value: object) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite()
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or _is_integer(value)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_dict(value: object) -> bool:
    return value is None or isinstance(value, dict)


_AMOUNT = ("None or a finite int, float or Decimal", _is_amount)
_TEXT = ("None or a str", _is_text)

_RULES: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "price": _AMOUNT,
    "quantity": ("an int", _is_integer),
    "revenue": _AMOUNT,
    "product_id": _TEXT,
    "revenue_type": _TEXT,
    "currency": _TEXT,
    "receipt": _TEXT,
    "receipt_sig": _TEXT,
    "properties": ("None or a dict", _is_dict),
}
