# SPDX-License-Identifier: MIT
"""
Processes at one backlog: they race, and are killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from shelves import (
    EVENTS,
    events_of,
    put,
)

RACERS = """
import os, random, sys
from ringamp.buffer.backlog import Backlog
from ringamp.buffer.folder import Folder

def race(seed, won):
    folder = Folder.open(sys.argv[1])
    backlog = Backlog(folder)
    chance = random.Random(seed)
    while names := backlog.names():
        for name in chance.sample(names, min(3, len(names))):
            shelved = backlog.take(name)
            if shelved is None:
                continue
            done = chance.randrange(len(shelved.events) + 1)
            for event in shelved.events[:done]:
                os.write(won, event + b"\\n")
            shelved.keep(done)

won = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
pids = []
for racer in range(3):
    pid = os.fork()
    if not pid:
        race(sys.argv[3] + str(racer), won)
        os._exit(0)
    pids.append(pid)
sys.exit(any(os.waitpid(pid, 0)[1] for pid in pids))
"""


@pytest.mark.parametrize("seed", range(8))
def test_of_racing_processes_exactly_one_wins(backlog, folder, tmp_path, seed):
    """
    Three processes take, send a part and shorten the same files in chance
    orders; every event is sent exactly once.
    """
    events = [b'{"n":%d}' % number for number in range(300)]
    for start in range(0, 300, 6):
        put(backlog, events[start : start + 6])
    log = tmp_path / "sent"

    done = subprocess.run(
        [sys.executable, "-c", RACERS, folder.path, log, str(seed)],
        timeout=200,
        check=False,
    )

    assert done.returncode == os.EX_OK
    assert sorted(log.read_bytes().splitlines()) == sorted(events)
    assert backlog.names() == []


HOLDER = """
import os, sys
from ringamp.buffer.backlog import Backlog
from ringamp.buffer.folder import Folder
backlog = Backlog(Folder.open(sys.argv[1]))
shelved = backlog.take(sys.argv[2])
# A child that has been made and has not run yet still has what its parent had.
if sys.argv[3] == "alone" or not os.fork():
    print("taken", flush=True)
    os.close(1)
sys.stdin.read()
os._exit(0)
"""


@pytest.mark.parametrize("company", ["alone", "with a child"])
def test_a_killed_sender_leaves_its_file_to_the_next(backlog, folder, company):
    """
    While it lives nobody takes what it has; when it is killed anybody may,
    also while a child of it lives on.
    """
    name = put(backlog)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, folder.path, name, company],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout.readline() == b"taken\n"
        assert backlog.take(name) is None
        assert backlog.trim(0) == []
        holder.send_signal(signal.SIGKILL)
        holder.wait()

        assert events_of(backlog, name) == EVENTS


SHORTENER = """
import os, signal, sys
from ringamp.buffer import folder as module
from ringamp.buffer.backlog import Backlog
backlog = Backlog(module.Folder.open(sys.argv[1]))
shelved = backlog.take(sys.argv[2])
def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(module.os, sys.argv[3], die)
shelved.keep(2)
"""


@pytest.mark.parametrize("call", ["write", "rename", "unlink", "open"])
def test_a_sender_killed_while_it_shortens_leaves_a_whole_file(
    backlog, folder, call
):
    """
    Killed at any call, it leaves the old file, and nothing else that counts
    as one; the next one goes on with it.
    """
    name = put(backlog)

    done = subprocess.run(
        [sys.executable, "-c", SHORTENER, folder.path, name, call],
        timeout=200,
        check=False,
    )

    assert done.returncode == -signal.SIGKILL
    assert backlog.names() == [name]
    shelved = backlog.take(name)
    assert [*shelved.events] == EVENTS
    shelved.keep(4)
    assert folder.names() == [name]
    assert events_of(backlog, name) == EVENTS[4:]
