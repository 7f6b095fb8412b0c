# SPDX-License-Identifier: MIT
"""
Tests of `Event`.
"""

from __future__ import annotations

import msgspec
import pytest

from ringamp.events.event import Event
from ringamp.events.plan import IngestionMetadata, Plan

FIELDS = """
    event_type user_id device_id user_agent time event_properties
    user_properties groups group_properties $skip_user_properties_sync
    app_version platform os_name os_version device_brand device_manufacturer
    device_model carrier country region city dma language price quantity
    revenue productId revenueType currency location_lat location_lng ip idfa
    idfv adid android_id android_app_set_id event_id session_id insert_id plan
    partner_id library version_name ingestion_metadata receipt receiptSig delay
"""
WIRE_NAMES = FIELDS.split()


def test_every_field_of_the_api():
    """
    Each documented field exists, under its wire name.
    """
    assert sorted(Event.__struct_encode_fields__) == sorted(WIRE_NAMES)


def test_every_field_reaches_the_wire():
    """
    No field is lost on the way to the dict, whatever its name.
    """
    names = [name for name in Event.__struct_fields__ if name != "event_type"]
    event = Event("type", **dict.fromkeys(names, "x"))

    expected = dict.fromkeys(WIRE_NAMES, "x") | {"event_type": "type"}
    assert event.to_dict() == expected
    assert msgspec.to_builtins(event) == expected


def test_only_the_type_is_positional():
    """
    A second positional argument is refused.
    """
    assert Event("type").to_dict() == {"event_type": "type"}
    with pytest.raises(TypeError):
        Event("type", "user")


@pytest.mark.parametrize("value", [0, 0.0, "", False, {}])
def test_false_is_not_none(value):
    """
    Only None is left out; zero, False and the empty are values.
    """
    assert Event("t", quantity=value).to_dict()["quantity"] == value


def test_t8_event_id_is_the_callers():
    """
    T8: the caller's *event_id*, *time* and *insert_id* stay as given.
    """
    event = Event("t", event_id=7, time=8, insert_id="i")

    assert event.to_dict() == {
        "event_type": "t",
        "event_id": 7,
        "time": 8,
        "insert_id": "i",
    }


def test_nested_structs_become_dicts():
    """
    A plan, struct or dict, is a dict of wire names afterwards.
    """
    event = Event(
        "t",
        plan=Plan(version_id="1"),
        ingestion_metadata=IngestionMetadata(source_name="s"),
    )

    assert event.to_dict()["plan"] == {"versionId": "1"}
    assert event.to_dict()["ingestion_metadata"] == {"source_name": "s"}
    assert Event("t", plan={"branch": "b"}).to_dict()["plan"] == {
        "branch": "b"
    }


def test_fields_can_be_changed():
    """
    An event is no frozen value until it is logged.
    """
    event = Event("t")
    event.user_id = "datamonster"

    assert event.to_dict() == {"event_type": "t", "user_id": "datamonster"}


def test_no_subclasses():
    """
    A subclass is refused, since its fields would not be sent.
    """
    with pytest.raises(TypeError, match="log a dict"):
        type("Other", (Event,), {})
