# SPDX-License-Identifier: MIT
"""
Tests of the lenient settings: they refuse nothing that strict takes.
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uploads import BATCH, NOW, V2, ask, event, request

from ringamp.collector.rules import answer
from ringamp.collector.settings import LENIENT, Settings
from ringamp.collector.state import State


def test_without_limits_everything_sensible_is_taken():
    """
    Lenient settings lift the limits of count and size, not of sense.
    """
    many = [event()] * 5000

    assert ask(*many, settings=LENIENT).status == 200
    assert ask(event(time="x"), settings=LENIENT).status == 400


DEEP = {"event_properties": json.loads('{"a":' * 400 + "1" + "}" * 400)}

LENIENTLY = {
    "short user": {"user_id": "u"},
    "short device beside a user": {"device_id": "d"},
    "long id": {"user_id": "u" * 2000},
    "forbidden id": {"user_id": "anonymous"},
    "empty id": {"user_id": ""},
    "device of zeros": {"device_id": "0000"},
    "depth": DEEP,
    "groups": {"groups": {str(n): ["g"] * 20 for n in range(20)}},
    "long text": {"event_properties": {"a": "x" * 5000}},
}


@pytest.mark.parametrize("path", [V2, BATCH])
@pytest.mark.parametrize("case", LENIENTLY)
def test_lenient_takes_events_as_they_come(case, path):
    """
    Nothing is refused for a limit, and nothing cut off or left out, whatever
    the body is called.
    """
    sent = event(**LENIENTLY[case])
    body = {"api_key": "KEY", "events": [sent]}
    said = answer(
        request(body, path, content_type="text/plain"), LENIENT, State(), NOW
    )

    assert said.status == 200
    assert list(said.taken) == [sent]
    assert not said.losses


VALUES = [
    *(None, "", "u", "alice", "anonymous", "u" * 1025, 7, 1.5, True, {}, []),
    *({"a": "x" * 2000}, {"$set": {"a": 1}}, {"$remove": {"a": 1}}, DEEP),
    {str(n): ["g", "h"] for n in range(7)},
]
NAMES = [
    *("event_type", "user_id", "device_id", "time", "groups", "insert_id"),
    *("event_properties", "user_properties", "group_properties", "other"),
]


@given(
    events=st.lists(
        st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES)),
        max_size=3,
    ),
    kind=st.sampled_from(["$identify", "$groupidentify", "Checkout"]),
    path=st.sampled_from([V2, BATCH]),
)
def test_lenient_takes_all_that_strict_takes(events, kind, path):
    """
    What the strict collector answers 200, the lenient one does as well.
    """
    sent = [{"event_type": kind, "user_id": "alice", **one} for one in events]
    strict, lenient = (
        ask(*json.loads(json.dumps(sent)), path=path, settings=settings)
        for settings in (Settings(), LENIENT)
    )

    assert strict.status != 200 or lenient.status == 200
