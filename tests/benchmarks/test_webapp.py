# SPDX-License-Identifier: MIT
"""
Tests of what a web application costs with each SDK: how rounds become rows,
bars, a table and a picture, and a moment of it on a real gunicorn, with wrk.
"""

import json
import os
import subprocess
import sys

import msgspec
import pytest

from benchmarks.environment import ROOT
from benchmarks.webapp import plot
from benchmarks.webapp.__main__ import Saved
from benchmarks.webapp.app import EVENTS, Application, priced
from benchmarks.webapp.catalogue import (
    NAMES,
    NONE,
    SETTINGS,
    Variant,
    options_of,
)
from benchmarks.webapp.load import INSTALL, find_wrk
from benchmarks.webapp.results import bars_of, markdown_of, rows_of
from benchmarks.webapp.server import running_site
from benchmarks.webapp.turns import Turn, fit_work, take_turns

VARIANTS = (
    Variant(name=NONE),
    Variant(name="ringamp"),
    Variant(name="ringamp", setting="interval"),
    Variant(name="posthog"),
)


def turn(rate=1000.0, p99=4.0, cpu=1e-3, delivered=100):
    """
    What was measured in a turn that logged 100 events.
    """
    return Turn(
        rate=rate, p50=3.0, p99=p99, cpu=cpu, events=100, delivered=delivered
    )


def run(*options, **env):
    """
    Run the command to its end.
    """
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.webapp", *options],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_ringamp_is_held_against_no_sdk():
    """
    Its default has the two bars; other settings and peers only inform.
    """
    none, default, interval, posthog = VARIANTS
    series = {
        none: {1: turn(), 2: turn(), 3: turn()},
        default: {1: turn(970), 2: turn(965), 3: turn(100, p99=4.4)},
        interval: {1: turn(10), 2: turn(10), 3: turn(10)},
        posthog: {1: turn(500, p99=10.0)},
    }

    figures = {one.key: one for one in bars_of(series)}

    assert [(key, one.bar, one.passed) for key, one in figures.items()] == [
        ("rate ringamp", 0.96, True),
        ("p99 ringamp", 1.15, True),
        ("rate ringamp interval", None, None),
        ("p99 ringamp interval", None, None),
        ("rate posthog", None, None),
        ("p99 posthog", None, None),
    ]
    assert figures["rate ringamp"].value == 0.965
    assert figures["rate ringamp"].quartiles == (0.1, 0.97)
    assert figures["p99 posthog"].value == 2.5


@pytest.mark.parametrize(
    ("measured", "passed"),
    [
        (turn(960, p99=4.6), [True, True]),
        (turn(959, p99=4.6), [False, True]),
        (turn(960, p99=4.7), [True, False]),
    ],
)
def test_a_missed_bar_is_told(measured, passed):
    """
    Fewer than 0.96 of the requests fail, and more than 1.15 of the p99.
    """
    series = {VARIANTS[0]: {1: turn()}, VARIANTS[1]: {1: measured}}

    assert [one.passed for one in bars_of(series)] == passed


def test_ratios_are_those_of_the_same_rounds():
    """
    A round in which the peer failed does not count for the other side.
    """
    series = {
        VARIANTS[0]: {1: turn(9000), 2: turn(1000)},
        VARIANTS[3]: {2: turn(500)},
    }

    assert [one.value for one in bars_of(series)] == [0.5, 1.0]


def test_without_a_base_there_is_no_ratio():
    """
    Nothing is made up where there is nothing to compare with.
    """
    series = {VARIANTS[1]: {1: turn()}}

    (row,) = rows_of(series)

    assert (row.kept, row.event_cpu) == (None, None)
    assert [*bars_of(series)] == []


def test_the_table_and_the_picture_come_from_the_file(tmp_path):
    """
    What was saved is shown and drawn again by the command, which measures
    nothing: it has no wrk.
    """
    pytest.importorskip("matplotlib")
    series = {
        VARIANTS[3]: {1: turn(1200, delivered=90), 2: turn(1300, cpu=2e-3)},
        VARIANTS[0]: {1: turn(), 2: turn()},
    }
    rows = rows_of(series)
    saved, picture = tmp_path / "figures.json", tmp_path / "webapp.svg"
    options = {"workers": 2, "millis": 1.0}
    saved.write_bytes(msgspec.json.encode({"rows": rows, "options": options}))

    done = run(
        "--markdown",
        f"--read={saved}",
        f"--plot={picture}",
        PATH=str(tmp_path),
    )

    assert done.returncode == 0, done.stderr
    assert [row.title for row in rows] == ["no SDK", "posthog"]
    assert markdown_of(rows) in done.stdout
    assert "| posthog | 1,250 | 125.0 % | 3.00 | 4.00 | 100.0 |" in done.stdout
    assert "190 of 200" in done.stdout
    again = msgspec.json.decode(saved.read_bytes(), type=Saved)
    assert again == Saved(rows, options)
    drawn = plot.draw(again.rows, options, tmp_path / "again.svg")
    assert drawn[0].read_bytes() == picture.read_bytes()
    assert picture.with_suffix(".png").stat().st_size


@pytest.mark.parametrize(
    ("delivered", "said"),
    [
        (100, "1,000   p99 4.0 ms"),
        (99, "1,000   p99 4.0 ms, 99 % of the events delivered"),
        (0, "1,000   p99 4.0 ms, 0 % of the events delivered"),
    ],
)
def test_the_picture_tells_what_is_lost(delivered, said):
    """
    A peer that loses events does not look cheap by it.
    """
    (row,) = rows_of({VARIANTS[3]: {1: turn(delivered=delivered)}})

    assert plot.words_of(row) == said


def test_every_variant_takes_its_turn_in_each_round():
    """
    In an order that depends on the seed alone.
    """
    orders = []
    for seed in (1, 1, 2):
        order = []
        series, failures = take_turns(
            VARIANTS,
            20,
            seed,
            lambda variant, order=order: order.append(variant) or turn(),
            str,
        )
        orders.append(order)
        assert failures == []
        assert all(list(turns) == [*range(1, 21)] for turns in series.values())

    assert orders[0] == orders[1] != orders[2]
    assert len({tuple(orders[0][at : at + 4]) for at in range(0, 80, 4)}) > 1


def test_a_peer_that_fails_is_told_and_the_others_go_on():
    """
    Without a round to its name it has no figures.
    """

    def fail_now_and_then(variant):
        if variant.name == "posthog":
            raise RuntimeError("a worker hung")
        return turn()

    series, failures = take_turns(VARIANTS, 2, 1, fail_now_and_then, str)

    assert [one.name for one in series] == [NONE, "ringamp", "ringamp"]
    assert failures == [
        "round 1 of 2: posthog: a worker hung",
        "round 2 of 2: posthog: a worker hung",
    ]


@pytest.mark.parametrize("delivered", [99, 101])
def test_a_run_in_which_ringamp_miscounts_is_void(delivered):
    """
    An event that is missing stops the run, and so does one too many; a peer
    that loses some is only shown.
    """

    def lose(name):
        return lambda variant: turn(
            delivered=delivered if variant.name == name else 100
        )

    series, _ = take_turns(VARIANTS, 1, 1, lose("posthog"), str)
    assert series[VARIANTS[3]][1].delivered == delivered
    with pytest.raises(RuntimeError, match=r"void.*ringamp"):
        take_turns(VARIANTS, 1, 1, lose("ringamp"), str)


def test_the_work_is_fitted():
    """
    Ten times the time is about ten times the work.
    """
    assert priced(3)[1] == pytest.approx(9.99 * 6)
    assert 5 < fit_work(10) / fit_work(1) < 20


def test_every_peer_of_python_has_a_setting():
    """
    Each is one of the comparison of SDKs, or has options here.
    """
    assert NAMES[:2] == (NONE, "ringamp")
    for name in NAMES[1:]:
        for setting in SETTINGS.get(name, ("default",)):
            json.dumps(dict(options_of(name, setting)))
    assert options_of("ringamp", "default") == {}
    assert options_of("ringamp", "interval") == {"upload_interval_in_sec": 0.1}


def test_the_application_imports_nothing_of_ours():
    """
    What runs beside an SDK has that SDK and the standard library.
    """
    text = (ROOT / "benchmarks" / "webapp" / "app.py").read_text()

    assert "import ringamp" not in text
    assert "from benchmarks" not in text


def test_a_request_logs_five_events(tmp_path, monkeypatch):
    """
    Each with a user, a time and properties of its own; without an SDK the
    answer is the same.
    """
    source = """
class Peer:
    events = []
    def __init__(self, url, options):
        self.made = (url, options)
    def prepare(self, event):
        return lambda: self.events.append(event)
"""
    (tmp_path / "recording_adapter.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    order = {
        "lines": 2,
        "event": {"event_type": "seen", "event_properties": {"a": 1}},
        "notes": str(tmp_path / "notes"),
        "url": "http://127.0.0.1:1",
        "options": {},
    }
    answers = [
        Application({**order, "adapter": adapter})(
            {"PATH_INFO": "/order"}, lambda status, headers: None
        )
        for adapter in ("recording_adapter", "")
    ]

    import recording_adapter

    events = recording_adapter.Peer.events
    assert answers[0] == answers[1]
    assert len(events) == EVENTS
    assert [one["event_properties"]["section"] for one in events] == [
        *range(EVENTS)
    ]
    for event in events:
        assert event["event_type"] == "seen"
        assert event["user_id"] == "user-1@example.com"
        assert event["time"] > 0
        assert event["event_properties"]["path"] == "/order"
        assert event["event_properties"]["a"] == 1


@pytest.mark.process
def test_an_application_that_does_not_load_is_told(tmp_path):
    """
    With the last words of gunicorn, and at once.
    """
    pytest.importorskip("gunicorn", reason="pip install -e '.[dev]'")
    order = {
        "lines": 1,
        "event": {},
        "adapter": "nobodys_adapter",
        "url": "",
        "options": {},
    }

    with (
        pytest.raises(RuntimeError, match=r"did not start(.|\n)*failed"),
        running_site(order, "", tmp_path),
    ):
        pass


@pytest.mark.process
def test_it_says_what_to_install(tmp_path):
    """
    Without wrk there is one line, and exit code 2.
    """
    done = run("--peers=none", PATH=str(tmp_path))

    assert done.returncode == 2
    assert done.stderr.strip() == INSTALL
    assert "apt-get install wrk" in INSTALL


@pytest.mark.process
def test_an_unknown_peer_is_refused():
    """
    With the names there are.
    """
    done = run("--peers=none,nobody")

    assert done.returncode == 2
    assert "nobody: there are none," in done.stderr


@pytest.mark.process
def test_it_runs_for_a_moment(tmp_path):
    """
    The JSON has both bars and a row for each variant, and every event of
    ringamp has arrived.
    """
    if find_wrk() is None:
        pytest.skip(INSTALL)
    pytest.importorskip("gunicorn", reason="pip install -e '.[dev]'")
    saved = tmp_path / "webapp.json"

    done = run(
        *("--rounds=1", "--seconds=1", "--peers=none,ringamp", "--seed=7"),
        f"--json={saved}",
    )

    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    report = json.loads(saved.read_text())
    assert {one["key"]: one["bar"] for one in report["figures"]} == {
        "rate ringamp": 0.96,
        "p99 ringamp": 1.15,
        "rate ringamp interval": None,
        "p99 ringamp interval": None,
    }
    assert report["options"]["seed"] == 7
    assert "seed=7" in done.stdout
    rows = {row["title"]: row for row in report["rows"]}
    assert set(rows) == {"no SDK", "ringamp", "ringamp interval"}
    assert rows["no SDK"]["events"] == rows["no SDK"]["delivered"] == 0
    for row in rows.values():
        assert row["title"] in done.stdout
        assert 0 < row["p50"] <= row["p99"]
        assert row["rate"] > 0
        assert row["delivered"] == row["events"]
        if row["name"] != NONE:
            assert row["events"] >= EVENTS
