# SPDX-License-Identifier: MIT
"""
Tests of the comparison with other SDKs: its table of peers, and how rounds
become rows, ratios, bars, tables and a picture.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from benchmarks.peers import installs, plot
from benchmarks.peers.__main__ import Saved, chosen_peers
from benchmarks.peers.catalogue import BY_NAME, DEFAULT, PEERS, TUNED
from benchmarks.peers.fates import TRIALS, Fate, account, words, worst
from benchmarks.peers.results import bars_of, markdown_of, rows_of
from benchmarks.peers.runs import Sample, Variant

ROOT = Path(__file__).resolve().parents[2]


def variant_of(name, setting=DEFAULT):
    """
    A peer that nobody runs.
    """
    peer = BY_NAME[name]
    return Variant(
        installs.Installed(peer, (), {}, "1.0", "Python 3"), setting
    )


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


def test_a_peer_is_held_against_the_same_setting():
    """
    Ratios are those of the medians; a bar is the peer's.
    """
    node = variant_of("@amplitude/node", TUNED)
    series = {
        variant_of("ringamp", DEFAULT): [sample(cpu=9e-6)],
        variant_of("ringamp", TUNED): [sample(), sample(), sample()],
        node: [sample(cpu=6e-6, seconds=3e-6)] * 2,
    }

    rows = rows_of(series, {}, 1000)
    figures = [*bars_of(series)]

    assert (rows[2].cpu, rows[2].cpu_ratio) == pytest.approx((6.0, 6.0))
    assert rows[2].rate_ratio == pytest.approx(1 / 3)
    assert rows[2].events == 70
    assert [(one.bar, one.passed) for one in figures] == [
        (5, True),
        (4, False),
    ]


def test_without_ringamp_there_is_no_ratio():
    """
    Nothing is made up where there is nothing to compare with.
    """
    series = {variant_of("posthog"): [sample()]}

    (row,) = rows_of(series, {}, 10)

    assert row.cpu_ratio is None
    assert [*bars_of(series)] == []


def test_the_table_and_the_picture_come_from_the_file(tmp_path):
    """
    What was saved can be shown and drawn again without measuring.
    """
    pytest.importorskip("matplotlib")
    variants = [variant_of("ringamp"), variant_of("posthog")]
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
    variant = variant_of("ringamp")
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
