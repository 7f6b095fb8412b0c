# SPDX-License-Identifier: MIT
"""
Tests of what runs a peer, without any SDK: a peer of ours that loses,
doubles, raises and hangs shows that this is noticed, and ringamp itself goes
through every task.
"""

import shutil
import sys
from pathlib import Path

import pytest

from benchmarks.peers import installs
from benchmarks.peers.__main__ import measure_all
from benchmarks.peers.catalogue import (
    BY_NAME,
    DEFAULT,
    SPOOL,
    TUNED,
    Peer,
    Setting,
)
from benchmarks.peers.fates import TRIALS, Fate, Trial, try_out, words
from benchmarks.peers.runs import Variant, carry_out, measure
from benchmarks.workload import make_event

pytestmark = pytest.mark.process

FAKE = str(Path(__file__).parent / "fake_adapter.py")
DRIVER = str(installs.ADAPTERS / "driver.py")


def variant_of(peer, setting=DEFAULT):
    """
    A peer that this interpreter can run as it is.
    """
    command = (sys.executable, DRIVER)
    return Variant(
        installs.Installed(peer, command, {}, "1.0", "Python 3"), setting
    )


def fake(**options):
    """
    A peer that fails in the ways named.
    """
    settings = {DEFAULT: Setting(options, 1, 100)}
    return variant_of(Peer("fake", "1.0", FAKE, settings))


def fake_in_node(**options):
    """
    The like in Node, where there is one.
    """
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node")
    file = str(Path(FAKE).with_suffix(".cjs"))
    peer = Peer("fake", "1.0", file, {DEFAULT: Setting(options, 1, 10)})
    command = (node, str(installs.ADAPTERS / "driver.cjs"))
    return Variant(
        installs.Installed(peer, command, {}, "1.0", "Node"), DEFAULT
    )


def ours(setting=DEFAULT):
    """
    ringamp, as it is installed here.
    """
    return variant_of(BY_NAME["ringamp"], setting)


@pytest.fixture
def short(monkeypatch):
    """
    Trials with few events.
    """
    for name, trial in TRIALS.items():
        events = {"exit": 30, "kill": 30, "fork": 700, "outage": 30}[name]
        monkeypatch.setitem(TRIALS, name, trial._replace(events=events))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, Fate(30, 30)),
        ({"loses": 3}, Fate(30, 20)),
        ({"doubles": 10}, Fate(30, 30, doubled=3)),
        ({"repeats": 15}, Fate(30, 30, repeated=2)),
    ],
)
def test_what_a_peer_does_at_its_exit_is_seen(options, expected, short):
    """
    Lost, doubled and repeated events are told from each other.
    """
    assert try_out(fake(**options), "exit", make_event()) == expected


def test_a_peer_that_cannot_be_made_has_failed(short):
    """
    Its last words are kept, and nothing arrived.
    """
    fate = try_out(fake(fails=True), "exit", make_event())

    assert fate.received == 0
    assert "this peer cannot be made" in fate.error
    assert words(fate) == "0, failed"


@pytest.mark.slow
def test_children_that_hang_are_counted():
    """
    Each of the four that does not drain is killed and told; what it had sent
    by then has arrived.
    """
    fate = try_out(fake(hangs=True, loses=2), "fork", make_event())

    assert (fate.hung, fate.received) == (4, 350)


def test_a_process_that_hangs_is_killed():
    """
    At its limit, as a whole.
    """
    installed = fake().installed._replace(
        command=(sys.executable, "-c", "import time; time.sleep(600)")
    )

    assert carry_out(installed, {}, limit=0.3).hung


def test_calls_that_raise_are_counted(monkeypatch):
    """
    The outage goes on, and says how many calls raised.
    """
    monkeypatch.setitem(TRIALS, "outage", Trial("outage", 20, 30))
    monkeypatch.setattr("benchmarks.peers.fates.RATE", 100)
    monkeypatch.setattr("benchmarks.peers.fates.OUTAGE", 0)
    monkeypatch.setattr("benchmarks.peers.fates.PATIENCE", 0.1)

    assert try_out(fake(raises=True), "outage", make_event()).raised == 20


def test_what_is_lost_in_a_measurement_is_told(monkeypatch):
    """
    The figures are those of the events that arrived.
    """
    monkeypatch.setattr("benchmarks.peers.runs.ARRIVAL", 0.3)

    assert measure(fake(loses=4), make_event(), 40).lost == 10
    assert measure(fake(), make_event(), 40).lost == 0


@pytest.mark.parametrize("setting", [DEFAULT, TUNED, SPOOL])
def test_ringamp_loses_nothing_at_its_exit(setting, short):
    """
    The adapter drives ringamp, and all arrives once.
    """
    assert try_out(ours(setting), "exit", make_event()) == Fate(30, 30)


def test_ringamp_survives_with_a_spool(short):
    """
    What a killed process left is found by the next one.
    """
    assert try_out(ours(SPOOL), "kill", make_event()) == Fate(30, 30)


def test_ringamp_forks(short):
    """
    Parent and children send each their own.
    """
    assert try_out(ours(), "fork", make_event()) == Fate(700, 700)


def test_a_round_has_every_figure():
    """
    All is above nothing, and nothing is lost.
    """
    found = measure(ours(), make_event(), 3000)

    assert 0 < found.p50 <= found.p99 <= found.p999
    assert found.cpu > 0
    assert found.seconds > 0
    assert found.lost == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [("exit", Fate(30, 20)), ("kill", Fate(30, 0)), ("fork", None)],
)
def test_node_is_put_to_the_same_trials(name, expected, short):
    """
    What it loses is missing, a kill leaves nothing of its turn, and it is
    not asked to fork.
    """
    assert try_out(fake_in_node(loses=3), name, make_event()) == expected


def test_a_round_in_node_has_every_figure(monkeypatch):
    """
    As in Python, with what is lost.
    """
    monkeypatch.setattr("benchmarks.peers.runs.ARRIVAL", 0.3)

    found = measure(fake_in_node(loses=4), make_event(), 40)

    assert 0 < found.p50 <= found.p99 <= found.p999
    assert found.cpu > 0
    assert found.lost == 10


@pytest.mark.slow
def test_a_peer_that_fails_stops_nobody():
    """
    It has no figures and a line that says why; the others have theirs.
    """
    failures = []
    good, bad = fake(), fake(fails=True)

    series = measure_all([good, bad], 10, 2, failures)

    assert list(series) == [good]
    assert len(series[good]) == 2
    assert len(failures) == 2
    assert "this peer cannot be made" in failures[0]
