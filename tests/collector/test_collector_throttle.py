# SPDX-License-Identifier: MIT
"""
Tests of `ringamp.collector.throttle` and `state`: rates, quotas, silence.
"""

import json

from hypothesis import given
from hypothesis import strategies as st

from ringamp.collector.reading import Request
from ringamp.collector.rules import answer
from ringamp.collector.settings import Limits, Settings
from ringamp.collector.state import DAY, HOUR, Rate, Rates, State

NOW = 1_700_000_000.0
SLOW = Settings(
    http_v2=Limits(eps=2, window=5.0), batch=Limits(eps=4, window=5.0)
)


def ask(
    events, state, now=NOW, settings=SLOW, *, path="/2/httpapi", key="KEY"
):
    """
    Return the answer to *events*, each a (user, device).
    """
    body = json.dumps(
        {
            "api_key": key,
            "events": [
                {"event_type": "x", "user_id": user, "device_id": device}
                for user, device in events
            ],
        }
    ).encode()
    headers = {"content-type": "application/json"}
    sent = Request("POST", path, headers, body, len(body))
    return answer(sent, settings, state, now)


HOT = ("hot-user", None)
COOL = ("cool-user", None)
DEVICE = (None, "hot-device")


def test_an_id_above_its_rate_is_told_and_nothing_is_taken():
    """
    A 429 names user, its events a second and the indexes; its batch-mates
    are not taken either.
    """
    state = State()
    ask([HOT] * 10, state)
    said = ask([COOL, HOT, HOT], state, NOW + 1)

    assert said.status == 429
    assert said.body == {
        "code": 429,
        "error": "Too many requests for some devices and users",
        "eps_threshold": 2,
        "throttled_users": {"hot-user": 2},
        "throttled_devices": {},
        "exceeded_daily_quota_users": {},
        "exceeded_daily_quota_devices": {},
        "throttled_events": [1, 2],
    }
    assert not said.taken
    assert said.rejected == 3
    assert ask([COOL], state, NOW + 1).status == 200


def test_devices_are_throttled_like_users():
    """
    A device has a rate of its own.
    """
    state = State()
    ask([DEVICE] * 10, state)
    said = ask([DEVICE], state)

    assert said.body["throttled_devices"] == {"hot-device": 2}
    assert said.body["throttled_users"] == {}


def test_a_pause_of_the_window_is_enough():
    """
    When the window has passed the id is heard again; what was refused
    meanwhile does not count against it.
    """
    state = State()
    ask([HOT] * 10, state)

    assert ask([HOT] * 50, state, NOW + 4.9).status == 429
    assert ask([HOT] * 50, state, NOW + 5.0).status == 200


def test_a_first_large_batch_is_taken():
    """
    Only the past is judged, or a batch above the rate could never be taken.
    """
    assert ask([HOT] * 2000, State()).status == 200


def test_the_apis_count_apart():
    """
    What came by one API does not slow the other, which has its own limits.
    """
    state = State()
    ask([HOT] * 10, state)

    assert ask([HOT] * 20, state, path="/batch").status == 200
    assert ask([HOT], state, path="/batch").body["eps_threshold"] == 4


def test_innocent_events_can_be_taken():
    """
    With *take_innocent* a 429 takes the events it does not name.
    """
    state = State()
    settings = Settings(http_v2=Limits(eps=2, window=5.0), take_innocent=True)
    ask([HOT] * 10, state, settings=settings)
    said = ask([COOL, HOT], state, settings=settings)

    assert said.status == 429
    assert [event["user_id"] for event in said.taken] == ["cool-user"]
    assert said.rejected == 1


def test_throttling_can_be_off():
    """
    Without *throttle* neither rates nor quotas are kept.
    """
    state = State()
    settings = Settings(throttle=False, daily_quota=1)
    for _ in range(5):
        assert ask([HOT] * 2000, state, settings=settings).status == 200

    assert len(state.quota.users) == 0


def test_the_daily_quota_is_told_by_id():
    """
    Who used up the quota is named with the count of the day, until 24 hours,
    in steps of one, have passed.
    """
    state = State()
    settings = Settings(http_v2=Limits(eps=None), daily_quota=5)
    ask([HOT] * 6, state, NOW, settings)
    said = ask([COOL, HOT], state, NOW + 3600, settings)

    assert said.status == 429
    assert said.body["exceeded_daily_quota_users"] == {"hot-user": 6}
    assert said.body["throttled_users"] == {}
    assert said.body["throttled_events"] == [1]
    assert ask([HOT], state, NOW + 86_400, settings).status == 200


def test_a_quota_counts_from_when_an_id_is_a_flood():
    """
    Events count towards the quota of a day only after their id reached the
    events a second; one that keeps below may send as many as it likes.
    """
    state = State()
    limits = Limits(eps=2, window=5.0)
    settings = Settings(http_v2=limits, daily_quota=12)
    for turn in range(10):
        at = NOW + turn * 10
        assert ask([COOL] * 9, state, at, settings).status == 200
    assert ask([HOT] * 11, state, NOW, settings).status == 200
    assert ask([HOT] * 11, state, NOW + 10, settings).status == 200
    assert ask([HOT] * 11, state, NOW + 20, settings).status == 200
    said = ask([HOT, COOL], state, NOW + 30, settings)

    # The first eleven made it a flood, and do not count.
    assert said.body["exceeded_daily_quota_users"] == {"hot-user": 22}
    assert said.body["throttled_events"] == [0]


def test_a_quota_forgets_in_steps_of_an_hour():
    """
    What was sent an hour later still counts when the first is forgotten.
    """
    state = State()
    settings = Settings(http_v2=Limits(eps=None), daily_quota=10)
    start = NOW - NOW % 3600
    ask([HOT] * 6, state, start, settings)
    ask([HOT] * 4, state, start + 3600, settings)
    day = start + 86_400

    assert ask([HOT], state, day - 1, settings).status == 429
    assert ask([HOT] * 5, state, day, settings).status == 200
    assert ask([HOT] * 2, state, day + 1, settings).status == 200
    assert ask([HOT], state, day + 2, settings).status == 429


def test_projects_share_no_rates():
    """
    An id that is too fast under one API key is not so under another, and
    neither are its quota and its updates.
    """
    state = State()
    ask([HOT] * 10, state, key="KEY1")
    quick = ask([HOT], state, key="KEY1")
    other = ask([HOT], state, key="KEY2")
    settings = Settings(http_v2=Limits(eps=None), daily_quota=5)
    ask([HOT] * 5, state, settings=settings, key="KEY3")
    over = ask([HOT], state, settings=settings, key="KEY3")
    fresh = ask([HOT], state, settings=settings, key="KEY4")

    assert [quick.status, other.status] == [429, 200]
    assert [over.status, fresh.status] == [429, 200]


def test_marks_of_one_step_are_one():
    """
    However many requests an hour has, a rate remembers one number for it.
    """
    rates = Rates(DAY, HOUR)
    for second in range(5000):
        rates.add({("KEY", "alice"): 1}, NOW + second % 100)

    assert rates.over([("KEY", "alice")], 5000, NOW) == {
        ("KEY", "alice"): 5000
    }
    assert len(rates._rates["KEY", "alice"]._marks) <= 2


def test_silenced_devices_get_a_400():
    """
    The events of a silenced device are named; nothing is taken.
    """
    settings = Settings(silenced_devices=frozenset({"hot-device"}))
    said = ask([COOL, DEVICE], State(), settings=settings)

    assert said.status == 400
    assert said.body == {
        "code": 400,
        "error": "Events silenced for device_id",
        "eps_threshold": 30,
        "silenced_devices": ["hot-device"],
        "silenced_events": [1],
        "exceeded_daily_quota_devices": {},
        "throttled_devices": {},
        "throttled_events": [],
    }


def test_a_silenced_400_can_carry_throttles():
    """
    The 400 for silenced devices tells the throttled ones as well.
    """
    state = State()
    settings = Settings(
        http_v2=Limits(eps=2, window=5.0),
        silenced_devices=frozenset({"mute-device"}),
    )
    ask([DEVICE] * 10, state, settings=settings)
    said = ask([DEVICE, (None, "mute-device")], state, settings=settings)

    assert said.body["silenced_events"] == [1]
    assert said.body["throttled_devices"] == {"hot-device": 2}
    assert said.body["throttled_events"] == [0]


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 9), st.integers(1, 5)), max_size=30
    )
)
def test_a_rate_is_the_sum_of_the_window(steps):
    """
    A rate forgets exactly what is older than its window.
    """
    rate = Rate()
    now = 0
    marks = []
    for wait, count in steps:
        now += wait
        rate.add(now, count)
        marks.append((now, count))

        assert rate.within(now, 10) == sum(
            count for at, count in marks if at > now - 10
        )


def test_rates_forget_idle_ids(monkeypatch):
    """
    Ids without recent events are swept out, so memory stays bounded.
    """
    monkeypatch.setattr("ringamp.collector.state.SWEEP_EVERY", 10)
    rates = Rates(window=5.0)
    for second in range(100):
        rates.add({("KEY", f"user-{second}"): 1}, float(second))

    assert len(rates) <= 20
