# SPDX-License-Identifier: MIT
"""
The options *plan* and *ingestion_metadata*: put under every event's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

import ringamp
from ringamp import Event, IngestionMetadata, Plan, Status

PLAN = {"branch": "main", "source": "web"}
ORIGIN = {"source_name": "shop"}


@dataclass
class Written:
    """
    A plan as somebody's dataclass.
    """

    version: str


CASES = {
    "none": ({}, PLAN),
    "None": ({"plan": None}, PLAN),
    "dict": ({"plan": {"version": "2"}}, {**PLAN, "version": "2"}),
    "own wins": ({"plan": {"branch": "b"}}, {**PLAN, "branch": "b"}),
    "struct": ({"plan": Plan(version_id="9")}, {**PLAN, "versionId": "9"}),
    "dataclass": ({"plan": Written("3")}, {**PLAN, "version": "3"}),
}


@pytest.mark.parametrize("middleware", [0, 1, 2])
@pytest.mark.parametrize("name", CASES)
def test_the_events_own_fields_win(
    make_client, event, collector, name, middleware
):
    """
    In every form a plan may have, with and without middleware; the caller's
    dict stays as it was.
    """
    given, wanted = CASES[name]
    client = make_client(plan=PLAN, ingestion_metadata=ORIGIN)
    for _ in range(middleware):
        client.add_event_middleware(lambda payload, next: next(payload))
    mine = event(1, **given)
    before = dict(mine)

    assert client.log_event(mine).result(30).status is Status.SUCCESS

    (sent,) = collector.ledger.events()
    assert sent["plan"] == wanted
    assert sent["ingestion_metadata"] == ORIGIN
    assert mine == before


def test_no_event_inherits_from_another(make_client, event, collector):
    """
    What one event says of its plan is gone with it.
    """
    client = make_client(plan=Plan(branch="main"))
    for own in ({"branch": "x", "version": "1"}, {"source": "s"}, {}):
        client.log_event(event(plan=own)).result(30)

    assert [e["plan"] for e in collector.ledger.events()] == [
        {"branch": "x", "version": "1"},
        {"branch": "main", "source": "s"},
        {"branch": "main"},
    ]
    assert client.options.plan == Plan(branch="main")


def test_event_objects_and_shorthands_have_them_too(make_client, collector):
    """
    Whatever makes the event.
    """
    client = make_client(
        upload_interval_in_sec=60,
        ingestion_metadata=IngestionMetadata(source_name="shop"),
    )
    client.log_event(
        Event(
            "Buy",
            user_id="somebody",
            ingestion_metadata=IngestionMetadata(source_version="2"),
        )
    )
    client.identify("somebody", None, ringamp.Identify().set("a", 1))
    client.group_identify("company", "acme", ringamp.Identify().set("a", 1))
    client.revenue(ringamp.Revenue(price=1), user_id="somebody")
    client.flush().result(30)

    first, *others = [
        e["ingestion_metadata"] for e in collector.ledger.events()
    ]
    assert first == {"source_name": "shop", "source_version": "2"}
    assert others == [ORIGIN] * 3


@pytest.mark.parametrize("defaults", [{}, {"plan": PLAN}])
@pytest.mark.parametrize(
    ("own", "place"),
    [({"x": object()}, "plan.x: "), (object(), "plan: ")],
)
def test_a_plan_that_cannot_be_sent_is_named(
    make_client, event, own, place, defaults
):
    """
    With a plan in the options as without one.
    """
    receipt = make_client(**defaults).log_event(event(plan=own))

    assert receipt.status is Status.INVALID
    assert receipt.reason.startswith(place)
