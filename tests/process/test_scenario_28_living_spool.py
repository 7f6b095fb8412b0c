# SPDX-License-Identifier: MIT
"""
Hostile spools while processes live in them: files that are taken away, cut
short or written over at that moment, several adopters, containers whose
processes have the same numbers.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import hostile
import pytest
import runner
import sealed
from hostile import OWN, tags
from workload import KEY

from ringamp.bindings import CAPACITY_MIN, HEADER_SIZE

pytestmark = [pytest.mark.process, pytest.mark.slow]

RINGS, EACH = 24, 5
"""Dead rings of a race, and events in each."""

LODGER = """
    import json, sys
    import sealed, workload
    path, name, count, options = sys.argv[1:]
    client = workload.begin(
        spool_dir=path, buffer_bytes=1 << 16, **json.loads(options)
    )
    for tag in sealed.tags_of(name, int(count)):
        client.log_event(sealed.event(tag))
    workload.tell(kind="ready")
    for line in sys.stdin:
        client.log_event({"event_type": "t", "user_id": "somebody"})
    client.shutdown(2)
    workload.tell(kind="end", **workload.counts(client))
"""
"""A client that logs, says so, logs on for each line it reads, and ends."""

RELAY = """
    import signal, sys
    import workload
    from ringamp.options import Options
    from ringamp.relay import RelayAgent
    agent = RelayAgent(
        workload.KEY,
        Options.build(
            spool_dir=sys.argv[1],
            server_url=sys.argv[2],
            retry_timeouts=[10, 10],
        ),
    )
    signal.signal(signal.SIGTERM, lambda *_: agent.stop())
    workload.tell(kind="ready")
    agent.run()
    workload.tell(kind="end", **agent.progress()._asdict())
"""


def heirs(spool, collector, count):
    """
    Start clients in the spool at once.
    """
    return [
        runner.start(
            runner.HERE / "heir.py",
            *(spool.path, f"own{number}", OWN),
            url=collector.url,
        )
        for number in range(count)
    ]


def is_locked(path):
    """
    Whether somebody has locks on a file, as the kernel tells it.
    """
    inode = f":{path.stat().st_ino} "
    return inode in Path("/proc/locks").read_text()


class Vandal:
    """
    Writes over files, at random places.

    Args:
        seed: Says which.
    """

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def scribble(self, path, low=0, high=HEADER_SIZE + CAPACITY_MIN):
        """
        Write some bytes of noise between two places of a file.
        """
        at = self.rng.randrange(low, high)
        size = min(self.rng.randrange(1, 200), high - at)
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(fd, self.rng.randbytes(size), at)
        finally:
            os.close(fd)

    def cut(self, path):
        """
        Give a file another size.
        """
        os.truncate(path, self.rng.choice([0, 100, 8192, 50_000, 1 << 33]))


def test_scenario_28_of_many_adopters_each_ring_has_one(spool, collector):
    """
    Clients that start at the same moment share the rings: none is sent
    twice, and none is forgotten.
    """
    names = [f"r{number}" for number in range(RINGS)]
    hostile.leave(
        spool.path,
        collector.url,
        KEY,
        *(f"{name}=ring:{EACH}" for name in names),
    )

    told = [
        hostile.check(one.wait(hostile.DEADLINE))
        for one in heirs(spool, collector, 3)
    ]

    must = [tag for name in names for tag in tags(name, EACH)]
    must += [tag for n in range(3) for tag in tags(f"own{n}", OWN)]
    assert sealed.faults_of(collector.events(), must) == []
    assert collector.summary().duplicates == 0
    assert sum(one["recovered"] for one in told) == RINGS * EACH
    assert spool.files() == []


def test_scenario_28_files_that_come_and_go(left, spool, collector):
    """
    Somebody removes, copies and exchanges rings while clients adopt them.
    """
    content = left.target.read_bytes()
    folder = left.target.parent
    programs = heirs(spool, collector, 2)
    rng = random.Random(28)
    mine = {left.target.name, left.witness.name}
    while any(one.process.poll() is None for one in programs):
        path = left.beside()
        path.write_bytes(content)
        other = rng.choice(sorted(folder.iterdir()))
        if other.name in mine:
            with contextlib.suppress(FileNotFoundError):
                (path.replace if rng.random() < 0.5 else Path.unlink)(other)
        mine.add(path.name)
        time.sleep(0.002)

    for one in programs:
        hostile.check(one.wait(hostile.DEADLINE))
    must = [tag for n in range(2) for tag in tags(f"own{n}", OWN)]
    others = [*tags("witness"), *tags("target")]
    assert sealed.faults_of(collector.events(), must, others) == []


def test_scenario_28_a_file_that_is_destroyed_while_it_is_sent(
    left, spool, collector
):
    """
    Cut short and written over from the moment it was adopted: it is sent
    from memory, and all of it arrives.
    """
    left.witness.unlink()
    collector.add_fault(hostile.SLOW, times=None)
    (program,) = heirs(spool, collector, 1)
    assert runner.wait_until(lambda: is_locked(left.target))
    vandal = Vandal(28)
    with contextlib.suppress(FileNotFoundError):
        while program.process.poll() is None:
            vandal.scribble(left.target)
            vandal.cut(left.target)

    hostile.check(program.wait(hostile.DEADLINE))

    must = [*tags("own0", OWN), *tags("target")]
    assert sealed.faults_of(collector.events(), must) == []
    assert not left.target.exists()


def test_scenario_28_a_living_ring_that_is_written_over(spool, collector):
    """
    A relay sends from it, its own process goes on logging: both live on, end
    in time and raise nothing; other rings are sent as ever.
    """
    relay = runner.start(RELAY, spool.path, collector.url, url=collector.url)
    lodgers = {
        name: runner.start(
            LODGER,
            *(spool.path, name, 50, '{"delivery": "relay"}'),
            url=collector.url,
            stdin=True,
        )
        for name in ("victim", "witness")
    }
    for one in (relay, *lodgers.values()):
        assert one.hear() == {"kind": "ready"}
    assert runner.wait_until(lambda: len(collector.events()) >= 100)
    (victim,) = [
        path
        for path in spool.path.rglob("*.ring")
        if int.from_bytes(path.read_bytes()[64:68], "little")
        == lodgers["victim"].pid
    ]
    vandal = Vandal(28)
    for _ in range(300):
        vandal.scribble(victim)
        for one in lodgers.values():
            one.say("more")
        time.sleep(0.002)

    ends = {name: one.wait(60) for name, one in lodgers.items()}
    relay.process.send_signal(signal.SIGTERM)
    end = relay.wait(60)

    for run in (*ends.values(), end):
        assert (run.code, run.hung) == (0, False), run.err
        assert "Traceback" not in run.err
    assert ends["witness"].the(kind="end")["logged"] == 350
    assert end.the(kind="end")["quarantined"] >= 1
    tagged = [one for one in collector.events() if "event_properties" in one]
    witness = [
        one
        for one in tagged
        if str(one["event_properties"].get("tag")).startswith("witness")
    ]
    assert sealed.faults_of(witness, tags("witness", 50)) == []


@pytest.mark.parametrize("seed", range(4))
def test_scenario_28_a_clients_own_ring_that_is_written_over(
    spool, collector, seed
):
    """
    What is in it may be lost, nothing else: the client goes on, raises
    nothing, and ends in time.
    """
    lodger = runner.start(
        LODGER, spool.path, "own", 5, "{}", url=collector.url, stdin=True
    )
    assert lodger.hear() == {"kind": "ready"}
    (ring,) = spool.path.rglob("*.ring")
    vandal = Vandal(seed)
    for _ in range(200):
        vandal.scribble(
            ring, *((0, 8192), (4096, 4500), (8192, 73728), ())[seed]
        )
        lodger.say("more")
        time.sleep(0.001)

    run = lodger.wait(60)

    assert (run.code, run.hung) == (0, False), run.err
    assert "Traceback" not in run.err
    assert run.seconds < 30


def contained(program, *args, url, **more):
    """
    Start a program as process 1 of a container of its own.
    """
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if subprocess.run([*command, "true"], check=False).returncode:
        pytest.skip("only root makes containers, and not everywhere")
    if isinstance(program, Path):
        program = program.read_text()
    return runner.Program(
        [
            *command,
            sys.executable,
            "-c",
            textwrap.dedent(program),
            *map(str, args),
        ],
        runner.environment(RINGAMP_TEST_URL=url, **more),
        stdin=True,
    )


def test_scenario_28_containers_whose_processes_have_one_number(
    spool, collector
):
    """
    Every container has a process 1. One that lives is left alone by the
    other; when it is killed, its events are sent.
    """
    options = '{"upload_interval_in_sec": 3600}'
    living = contained(
        LODGER, spool.path, "living", 9, options, url=collector.url
    )
    assert living.hear() == {"kind": "ready"}
    (ring,) = spool.path.rglob("*.ring")
    assert ring.read_bytes()[64:68] == b"\1\0\0\0"

    def heir(name):
        return contained(
            runner.HERE / "heir.py",
            *(spool.path, name, OWN),
            url=collector.url,
        ).wait(hostile.DEADLINE)

    try:
        first = hostile.check(heir("own1"))
        assert first["adopted"] == 0
        assert sealed.faults_of(collector.events(), tags("own1", OWN)) == []
    finally:
        living.end()

    second = hostile.check(heir("own2"))

    assert (second["adopted"], second["recovered"]) == (1, 9)
    must = [*tags("own1", OWN), *tags("own2", OWN), *tags("living", 9)]
    assert sealed.faults_of(collector.events(), must) == []
