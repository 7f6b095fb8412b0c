# SPDX-License-Identifier: MIT
"""
Which rings a relay takes, and which it leaves alone.
"""

from __future__ import annotations

import os

import pytest
from relaying import names

from ringamp.relay.roster import DEAD_MAX, SCAN


def test_living_and_dead_rings_are_taken(worker, relay):
    """
    A ring whose process leaves the sending to a relay is taken, and so is
    one that a dead process left.
    """
    worker("living").log(1)
    dead = worker("dead")
    dead.log(1)
    dead.die()
    agent = relay()

    agent._roster.scan(0.0)

    progress = agent.progress()
    assert (progress.living, progress.dead) == (1, 1)


def test_a_ring_that_its_own_process_sends_from_is_passed_over(worker, relay):
    """
    With delivery="thread" the consumer's lock is taken.
    """
    worker("own", delivery="thread")
    agent = relay()

    agent._roster.scan(0.0)

    assert agent._roster.rings == ()


def test_two_relays_share_and_inherit(worker, relay):
    """
    What one relay has the other leaves alone, and takes at the first scan
    after the other has let go.
    """
    for name in "ab":
        worker(name)
    first, second = relay(), relay()
    first._roster.scan(0.0)
    second._roster.scan(0.0)
    shares = (len(first._roster.rings), len(second._roster.rings))

    first.stop()
    first.run()
    second._roster.scan(SCAN)

    assert shares == (2, 0)
    assert len(second._roster.rings) == 2


def test_the_directory_is_read_once_a_second(worker, relay, clock):
    """
    A worker that comes between two scans is found by the next.
    """
    agent = relay()
    agent._roster.scan(clock.now)
    worker()

    agent._roster.scan(clock.now + SCAN / 2)
    before = len(agent._roster.rings)
    agent._roster.scan(clock.now + SCAN)

    assert (before, len(agent._roster.rings)) == (0, 1)


def test_dead_rings_are_read_a_few_at_a_time(worker, relay, clock, tags):
    """
    Each needs memory of its size, so others wait until one is through, and
    no longer; all are sent in the end.
    """
    expected = []
    for number in range(2 * DEAD_MAX + 1):
        one = worker(f"d{number}")
        one.log(3)
        one.die()
        expected += names(f"d{number}", 3)
    worker("living").log(3)
    expected += names("living", 3)
    agent = relay()

    began = clock.now
    agent._roster.scan(began)
    progress = agent.progress()
    is_all_sent = agent.run(once=True)

    assert (progress.living, progress.dead) == (1, DEAD_MAX)
    assert is_all_sent
    assert sorted(tags()) == sorted(expected)
    assert clock.now - began < SCAN


@pytest.mark.parametrize("what", ["key", "url", "batch"])
def test_rings_of_another_project_are_not_even_seen(
    worker, relay, collector, what
):
    """
    What was logged for one API key or URL is never sent to another.
    """
    one = worker()
    one.log(5)
    one.die()
    other = {
        "key": {"key": "another-key-of-another-project"},
        "url": {"server_url": collector.url + "?"},
        "batch": {"server_url": collector.batch_url},
    }
    agent = relay(**other[what])

    assert agent.run(once=True)
    assert collector.ledger.summary().requests == 0


def test_a_ring_that_was_moved_from_another_project_is_quarantined(
    worker, relay, spool, files
):
    """
    A file in the wrong directory is known by its header; it is put aside.
    """
    stranger = worker("stranger", key="another-key-of-another-project")
    stranger.log(5)
    stranger.die()
    agent = relay()
    (ring,) = spool.glob("*/rings/*.ring")
    home = agent._spool.rings.path
    ring.rename(f"{home}/{ring.name}")

    assert not agent.run(once=True)
    assert files("rings") == [f"{stranger.ring_id}.bad"]
    assert agent.progress().quarantined == 1
    assert agent.progress().requests == 0


def test_a_damaged_header_of_a_living_ring_is_left_in_place(
    worker, relay, files, caplog
):
    """
    It may be of a release that others know: it is told once, stays where it
    is and is not looked at again; everybody else is sent.
    """
    damaged, sound = worker("damaged"), worker("sound")
    damaged.spoil_header()
    sound.log(2)
    agent = relay()

    for now in range(3):
        agent._roster.scan(float(10 * now))
    agent._round()

    progress = agent.progress()
    assert (progress.living, progress.quarantined) == (1, 1)
    assert progress.delivered == 2
    assert f"{damaged.ring_id}.ring" in files("rings")
    assert len(caplog.records) == 1
    assert "checksum of its header" in caplog.text


def test_what_is_no_ring_does_no_harm(worker, relay, spool, files):
    """
    Rubbish, links, half-made files and strange names in the directory keep
    no ring from being sent.
    """
    one = worker()
    one.log(4)
    rings = next(spool.glob("*/rings"))
    rubbish, empty, folder, link, pipe = (letter * 26 for letter in "abcde")
    (rings / f"{rubbish}.ring").write_bytes(b"\xff" * 10_000)
    (rings / f"{empty}.ring").touch()
    (rings / f"{folder}.ring").mkdir()
    (rings / f"{link}.ring").symlink_to("/etc/passwd")
    os.mkfifo(rings / f"{pipe}.ring")
    (rings / "half.tmp").touch()
    (rings / "strange.ring").touch()
    agent = relay()

    assert not agent.run(once=True)
    assert agent.progress().delivered == 4
    assert {
        f"{rubbish}.bad",
        f"{empty}.bad",
        "half.tmp",
        "strange.ring",
    } < set(files("rings"))


def test_a_directory_that_cannot_be_read_is_told(relay, monkeypatch, caplog):
    """
    The scan says so and the relay goes on.
    """
    agent = relay()

    def fail():
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(agent._spool, "ring_ids", fail)

    agent._roster.scan(0.0)

    assert "cannot read the spool" in caplog.text
