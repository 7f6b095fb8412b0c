# SPDX-License-Identifier: MIT
"""
Tests of the comparison with other SDKs, without any of them: a peer of ours
that loses, doubles and hangs shows that this is noticed, and ringamp itself
goes through every task.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from benchmarks.peers import installs, plot
from benchmarks.peers.__main__ import Saved, chosen_peers, measure_all
from benchmarks.peers.catalogue import (
    BY_NAME,
    DEFAULT,
    PEERS,
    SPOOL,
    TUNED,
    Peer,
    Setting,
)
from benchmarks.peers.fates import (
    TRIALS,
    Fate,
    Trial,
    account,
    try_out,
    words,
    worst,
)
from benchmarks.peers.results import bars_of, markdown_of, rows_of
from benchmarks.peers.runs import Sample, Variant, carry_out, measure
from benchmarks.workload import make_event

ROOT = Path(__file__).resolve().parents[2]
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


def sample(cpu=1e-6, seconds=1e-6, lost=0):
    """
    One round.
    """
    return Sample(1.0, 2.0, 3.0, cpu, seconds, 2**20, lost)


def test_arrivals_are_accounted_for():
    """
    Other ids, or none, make a double; the same id makes a repeat; what the
    next process logged is no arrival.
    """
    ledger = {
        "a": ["1"],
        "b": ["2", "2"],
        "c": ["3", "4"],
        "d": ["", ""],
        "n-0": ["5"],
        "": ["6", "6"],
    }

    assert account(ledger, 5) == Fate(5, received=4, doubled=2, repeated=1)


def test_the_worst_round_is_shown():
    """
    In each respect by itself.
    """
    shown = worst([Fate(9, 9, 2), Fate(9, 7, 0, hung=1, raised=3)])

    assert shown == Fate(9, 7, 2, hung=1, raised=3)
    assert words(shown) == "7, 2 doubled, 1 hung, 3 raised"
    assert words(None) == "n/a"


@pytest.mark.process
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


@pytest.mark.process
def test_a_peer_that_cannot_be_made_has_failed(short):
    """
    Its last words are kept, and nothing arrived.
    """
    fate = try_out(fake(fails=True), "exit", make_event())

    assert fate.received == 0
    assert "this peer cannot be made" in fate.error
    assert words(fate) == "0, failed"


@pytest.mark.process
@pytest.mark.slow
def test_children_that_hang_are_counted():
    """
    Each of the four that does not drain is killed and told; what it had sent
    by then has arrived.
    """
    fate = try_out(fake(hangs=True, loses=2), "fork", make_event())

    assert (fate.hung, fate.received) == (4, 350)


@pytest.mark.process
def test_a_process_that_hangs_is_killed():
    """
    At its limit, as a whole.
    """
    installed = fake().installed._replace(
        command=(sys.executable, "-c", "import time; time.sleep(600)")
    )

    assert carry_out(installed, {}, limit=0.3).hung


@pytest.mark.process
def test_calls_that_raise_are_counted(monkeypatch):
    """
    The outage goes on, and says how many calls raised.
    """
    monkeypatch.setitem(TRIALS, "outage", Trial("outage", 20, 30))
    monkeypatch.setattr("benchmarks.peers.fates.RATE", 100)
    monkeypatch.setattr("benchmarks.peers.fates.OUTAGE", 0)
    monkeypatch.setattr("benchmarks.peers.fates.PATIENCE", 0.1)

    assert try_out(fake(raises=True), "outage", make_event()).raised == 20


@pytest.mark.process
def test_what_is_lost_in_a_measurement_is_told(monkeypatch):
    """
    The figures are those of the events that arrived.
    """
    monkeypatch.setattr("benchmarks.peers.runs.ARRIVAL", 0.3)

    assert measure(fake(loses=4), make_event(), 40).lost == 10
    assert measure(fake(), make_event(), 40).lost == 0


@pytest.mark.process
@pytest.mark.parametrize("setting", [DEFAULT, TUNED, SPOOL])
def test_ringamp_loses_nothing_at_its_exit(setting, short):
    """
    The adapter drives ringamp, and all arrives once.
    """
    assert try_out(ours(setting), "exit", make_event()) == Fate(30, 30)


@pytest.mark.process
def test_ringamp_survives_with_a_spool(short):
    """
    What a killed process left is found by the next one.
    """
    assert try_out(ours(SPOOL), "kill", make_event()) == Fate(30, 30)


@pytest.mark.process
def test_ringamp_forks(short):
    """
    Parent and children send each their own.
    """
    assert try_out(ours(), "fork", make_event()) == Fate(700, 700)


@pytest.mark.process
def test_a_round_has_every_figure():
    """
    All is above nothing, and nothing is lost.
    """
    found = measure(ours(), make_event(), 3000)

    assert 0 < found.p50 <= found.p99 <= found.p999
    assert found.cpu > 0
    assert found.seconds > 0
    assert found.lost == 0


@pytest.mark.process
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


def test_a_peer_is_held_against_the_same_setting():
    """
    Ratios are those of the medians; a bar is the peer's.
    """
    node = variant_of(BY_NAME["@amplitude/node"], TUNED)
    series = {
        ours(DEFAULT): [sample(cpu=9e-6)],
        ours(TUNED): [sample(), sample(), sample()],
        node: [sample(cpu=6e-6, seconds=3e-6)] * 2,
    }

    rows = rows_of(series, {}, 1000)
    figures = [*bars_of(series)]

    assert (rows[2].cpu, rows[2].cpu_ratio) == pytest.approx((6.0, 6.0))
    assert rows[2].rate_ratio == pytest.approx(1 / 3)
    assert rows[2].events == 200
    assert [(one.bar, one.passed) for one in figures] == [
        (5, True),
        (4, False),
    ]


def test_without_ringamp_there_is_no_ratio():
    """
    Nothing is made up where there is nothing to compare with.
    """
    series = {fake(): [sample()]}

    (row,) = rows_of(series, {}, 10)

    assert row.cpu_ratio is None
    assert [*bars_of(series)] == []


def test_the_table_and_the_picture_come_from_the_file(tmp_path):
    """
    What was saved can be shown and drawn again without measuring.
    """
    pytest.importorskip("matplotlib")
    variants = [ours(), fake(loses=1)]
    series = {variants[0]: [sample()], variants[1]: [sample(5e-5, lost=3)]}
    fates = {
        variants[0]: dict.fromkeys(TRIALS, Fate(9, 9)),
        variants[1]: {**dict.fromkeys(TRIALS, Fate(9, 2)), "fork": None},
    }
    saved = tmp_path / "figures.json"
    rows = rows_of(series, fates, 1000)
    saved.write_bytes(msgspec.json.encode({"peers": rows}))

    again = msgspec.json.decode(saved.read_bytes(), type=Saved).peers
    files = plot.draw(again, tmp_path / "peers.svg")

    assert again == rows
    assert "| 50 (50 x) | 1,000,000, 3 lost |" in markdown_of(again)
    assert "| n/a |" in markdown_of(again)
    assert [file.suffix for file in files] == [".svg", ".png"]
    assert all(file.stat().st_size for file in files)


def test_every_peer_is_pinned_and_has_an_adapter():
    """
    All have a default and a tuned setting and a share of the events.
    """
    for peer in PEERS:
        assert (installs.ADAPTERS / peer.adapter).is_file()
        assert peer.version or peer.name == "ringamp"
        assert {DEFAULT, TUNED} <= set(peer.settings)
        for setting in peer.settings.values():
            assert 0 < setting.share <= 1
            json.dumps(dict(setting.options))


def test_an_unknown_peer_is_refused():
    """
    With the names there are.
    """
    with pytest.raises(Exception, match=r"nobody: there are ringamp, "):
        chosen_peers("ringamp,nobody")


def test_node_is_not_needed(monkeypatch, capsys):
    """
    Without npm its peers are left out, which is said.
    """
    monkeypatch.setattr(shutil, "which", lambda name: None)

    assert [peer.name for peer in chosen_peers("ringamp,@amplitude/node")] == [
        "ringamp"
    ]
    assert "no node or npm" in capsys.readouterr().err


def test_adapters_import_nothing_of_ours():
    """
    What runs in a peer's environment has that peer and the standard library.
    """
    for file in installs.ADAPTERS.glob("*.py"):
        text = file.read_text()
        assert "benchmarks" not in text.split('"""')[-1]
        if file.name not in ("ringamp_adapter.py", "__init__.py"):
            assert "import ringamp" not in text


@pytest.mark.process
def test_figures_are_shown_again(tmp_path):
    """
    `--read` prints both tables and the Markdown, and measures nothing.
    """
    variant = ours()
    rows = rows_of(
        {variant: [sample()]},
        {variant: dict.fromkeys(TRIALS, Fate(9, 8))},
        1000,
    )
    saved = tmp_path / "figures.json"
    saved.write_bytes(msgspec.json.encode({"peers": rows}))

    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.peers"),
            *("--markdown", "--read", saved),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "What it costs" in done.stdout
    assert "What arrives" in done.stdout
    assert "| ringamp 1.0 | default |" in done.stdout
