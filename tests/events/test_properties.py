# SPDX-License-Identifier: MIT
"""
Tests of `sendable` as its other callers use it.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from ringamp.errors import InvalidEventError
from ringamp.events.properties import MAX_DEPTH, sendable


def test_a_copy_shares_nothing():
    """
    What can change is copied; a Decimal stays one until it is encoded.
    """
    value = {"a": [{"b": {1}}], "c": Decimal("1.0")}

    copied = sendable(value, "p")

    assert copied == {"a": [{"b": [1]}], "c": Decimal("1.0")}
    assert copied is not value
    assert copied["a"] is not value["a"]
    assert copied["a"][0] is not value["a"][0]


def test_depth_of_the_place():
    """
    A value deep inside an event may not be as deep itself.
    """
    assert sendable([], "p", MAX_DEPTH) == []
    with pytest.raises(InvalidEventError, match="p: nested deeper than 40"):
        sendable([], "p", MAX_DEPTH + 1)


class Proxy:
    """
    An object that says it is of another class, as lazy texts do.
    """

    @property
    def __class__(self):
        """
        Pretend.
        """
        return str


def test_proxies_are_not_believed():
    """
    An object is judged by its type, not by what it says.
    """
    with pytest.raises(InvalidEventError, match="object of type Proxy"):
        sendable(Proxy(), "p")


def test_a_user_object_may_raise():
    """
    What reading an object raises becomes the event's reason.
    """
    bad = type("Bad", (bytes,), {"__bytes__": lambda _: 1 / 0})()

    with pytest.raises(InvalidEventError, match="raised ZeroDivisionError"):
        sendable([bad], "p")
