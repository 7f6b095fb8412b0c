# SPDX-License-Identifier: MIT
"""
docs/spool-format.md is enough to read a spool: `spool_reader`, which was
written from it, finds what ringamp sends.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import platform
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import spool_reader
from spool_reader import LivingRing, Repair, take_lock

import ringamp
from ringamp.buffer.adoption import adopt
from ringamp.buffer.spool import Spool
from ringamp.collector import LENIENT, Collector
from ringamp.transport.payload import LIBRARY

pytestmark = pytest.mark.skipif(
    not hasattr(fcntl, "F_OFD_SETLK") or sys.platform != "linux",
    reason="there are no spools here",
)

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "spool-format.md").read_text("utf-8")
KEY = "0123456789abcdef0123456789abcdef"

LOGGING = """
    import os, signal, sys
    import ringamp

    url, spool_dir = sys.argv[1:3]
    client = ringamp.init(
        "%(key)s", server_url=url, spool_dir=spool_dir, buffer_bytes=1 << 16,
        %(options)s
    )

    def event(number):
        return {
            "event_type": "format", "user_id": "datamonster@gmail.com",
            "event_properties": {"n": number, "t": "\\xe4" * (number %% 99)},
            **({"insert_id": f"own-{number}"} if number %% 7 == 3 else {}),
            **({"time": 1700000000000 + number} if number %% 5 == 2 else {}),
            **({"library": "own/1"} if number %% 11 == 4 else {}),
        }
"""


@pytest.fixture
def spool_dir(tmp_path):
    """
    A directory of this test alone.
    """
    path = tmp_path / "spool"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def collector():
    """
    A service.
    """
    with Collector(settings=LENIENT) as running:
        yield running


@contextlib.contextmanager
def started(work, url, spool_dir, **options):
    """
    Start a process that logs; it is killed in the end.
    """
    more = "".join(f"{name}={value!r}," for name, value in options.items())
    source = textwrap.dedent(LOGGING % {"key": KEY, "options": more})
    source += textwrap.dedent(work)
    process = subprocess.Popen(
        [sys.executable, "-c", source, url, spool_dir],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def rings_of(spool_dir, url):
    """
    Find the directory where the rings of a URL are.
    """
    project = spool_reader.project_of(KEY, url)
    return project, spool_dir / project.hex() / "rings"


def wait_until(condition, seconds=30):
    """
    Wait until *condition* holds.
    """
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "it did not come to that"
        time.sleep(0.01)


# -- The text ----------------------------------------------------------------


def test_the_table_of_the_header_is_that_of_the_core():
    """
    Offset, size and name of every field are those in native/region.h.
    """
    ours = re.findall(r"^\| (\d+) \| (\d+) \| (\w+) \|", TEXT, re.MULTILINE)
    core = (ROOT / "native" / "region.h").read_text("utf-8")
    theirs = re.findall(r"^ \* +(\d+) +(\d+)  (\w+)", core, re.MULTILINE)
    records = [("0", "8", "word"), ("8", "4", "length"), ("12", "4", "crc")]
    records += [("16", "8", "time_ms")]

    assert len(ours) > 20
    assert set(theirs) - set(ours) == {("0", "8", "word")} - set(ours)
    assert set(ours) - set(theirs) == set()
    assert set(records) <= set(ours)


def test_the_values_to_test_with():
    """
    The reader computes every value that the text gives.
    """
    values = dict(
        re.findall(r"^\| (\S.*?) \| `([0-9a-v-]+)` \|$", TEXT, re.MULTILINE)
    )
    ring = spool_reader.ring_text(bytes(range(16)))
    made = [
        f"{spool_reader.crc32c(b'123456789'):08x}",
        *(f"{spool_reader.stamp(p):08x}" for p in (0, 8, 1 << 16, 1 << 63)),
        ring,
        f"{ring}-{spool_reader.base32(327432, 13)}",
        spool_reader.project_of(
            KEY, "https://api2.amplitude.com/2/httpapi"
        ).hex(),
    ]

    assert list(values.values())[-len(made) :] == made


# -- Dead rings --------------------------------------------------------------


def test_what_a_killed_process_left_is_what_its_adopter_sends(
    spool_dir, collector
):
    """
    A process is killed while it pushes, in the ring's second lap or later.
    The reader finds, byte for byte and in order, what the service then gets,
    with the same insert_ids.
    """
    with started(
        """
        for number in range(400):
            client.log_event(event(number))
            if number % 100 == 99:
                assert client.flush().result(30).status == "success"
        signal.setitimer(signal.ITIMER_REAL, 0.0005)
        while True:
            number += 1
            client.log_event(event(number))
        """,
        collector.url,
        spool_dir,
        upload_interval_in_sec=60,
    ) as process:
        assert process.wait(30) == -14
        project, rings = rings_of(spool_dir, collector.url)
        (path,) = rings.glob("*.ring")
        repair = Repair(path.read_bytes(), project, LIBRARY)
        expected = [json.loads(event.json) for event in repair.events]
        before = len(collector.ledger.events())

        client = ringamp.get_instance("adopter").init(
            KEY, server_url=collector.url, spool_dir=spool_dir
        )
        client.log_event({"event_type": "own", "user_id": "adopter"})
        wait_until(lambda: client.stats().adopted and not path.exists())
        client.shutdown()
        got = collector.ledger.events()[before:]

    assert path.name == f"{repair.header.ring}.ring"
    assert repair.header.pid == process.pid
    assert [e for e in got if e["event_type"] == "format"] == expected
    assert len({event["insert_id"] for event in expected}) == len(expected)
    assert len(expected) > 10
    assert repair.header.tail > 1 << 16


# -- Living rings ------------------------------------------------------------


def test_who_has_which_lock(spool_dir):
    """
    A living process has both bytes of its ring. After its end a reader can
    have them, and while it has one nobody adopts.
    """
    url = "http://127.0.0.1:9/2/httpapi"
    with started(
        "client.log_event(event(0)); print(flush=True); signal.pause()",
        url,
        spool_dir,
        upload_interval_in_sec=60,
    ) as process:
        process.stdout.readline()
        project, rings = rings_of(spool_dir, url)
        (path,) = rings.glob("*.ring")
        with path.open("r+b") as file:
            assert not take_lock(file.fileno(), 1)
            assert not take_lock(file.fileno(), 0)
            process.kill()
            process.communicate()
            assert take_lock(file.fileno(), 1)

            spool = Spool(str(spool_dir), project, 1 << 20)
            assert adopt(spool, path.stem, b"", live=True) is None
            assert take_lock(file.fileno(), 0)
        outlet = adopt(spool, path.stem, b"", live=False)
        assert outlet.findings.ready == 1
        outlet.close(is_done=True)
        spool.close()


@pytest.mark.skipif(
    platform.machine() not in {"x86_64", "AMD64"},
    reason="plain Python has no acquire and release where these are no moves",
)
def test_a_relay_written_from_the_text(spool_dir):
    """
    While a process logs without a thread, the reader takes its ring's byte 1
    and empties it lap after lap: every event comes once and in order, and
    the producer reads how many were delivered.
    """
    url = "http://127.0.0.1:9/2/httpapi"
    with started(
        """
        print(flush=True)
        for number in range(3000):
            assert client.log_event(event(number)).status == "queued"
        sys.stdin.read()
        print(client.stats().delivered, client.stats().pending, flush=True)
        signal.pause()
        """,
        url,
        spool_dir,
        delivery="relay",
        on_full="block",
    ) as process:
        process.stdout.readline()
        project, rings = rings_of(spool_dir, url)
        (path,) = rings.glob("*.ring")
        events = []
        with path.open("r+b") as file:
            assert take_lock(file.fileno(), 1)
            assert not take_lock(file.fileno(), 0)
            ring = LivingRing(file.fileno(), project, "relay/1")
            while len(events) < 3000:
                found = ring.read()
                ring.release(ring.at, len(found))
                events += found
            process.stdin.close()
            assert process.stdout.readline().split() == ["3000", "0"]
            process.kill()
            process.wait()
            assert take_lock(file.fileno(), 0)
            ring.close()
        made = [json.loads(event.json) for event in events]

        assert [e["event_properties"]["n"] for e in made] == list(range(3000))
        assert len({event["insert_id"] for event in made}) == 3000
        assert {event["library"] for event in made} == {"relay/1", "own/1"}
        assert events[-1].position > 10 << 16


# -- Backlog and dead letters ------------------------------------------------


def test_the_backlog_is_as_the_text_says(spool_dir):
    """
    What an outage put on disk and what is in the ring of the killed process
    is, together, what was logged; the names of the files say whose it was.
    """
    url = "http://127.0.0.1:9/2/httpapi"
    with started(
        """
        for number in range(50):
            client.log_event(event(number))
        client.flush().result(30)
        for number in range(50, 80):
            client.log_event(event(number))
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        url,
        spool_dir,
        retry_timeouts=[],
    ) as process:
        assert process.wait(30) == -9
        project, rings = rings_of(spool_dir, url)
        (path,) = rings.glob("*.ring")
        repair = Repair(path.read_bytes(), project)
        found = [json.loads(event.json) for event in repair.events]
        names = []
        for name in (rings.parent / "backlog").iterdir():
            found += json.loads(name.read_bytes())
            names.append(
                re.fullmatch(
                    r"(\d{13})-([0-9a-v]{26})-(\d+)-5\.json", name.name
                )
            )

        assert names
        assert all(names)
        assert {name[2] for name in names} == {repair.header.ring}
        assert abs(int(names[0][1]) - repair.header.created_ms) < 60_000
        by_id = {event["insert_id"]: event for event in found}
        numbers = {e["event_properties"]["n"] for e in by_id.values()}
        assert numbers == set(range(80))
        assert len(by_id) == 80


def test_dead_letters_are_as_the_text_says(spool_dir):
    """
    What the service refused is one line an event, with the keys of the text.
    """
    client = ringamp.get_instance("refused").init(
        KEY,
        spool_dir=spool_dir,
        transport_class=ringamp.MemoryTransport([403]),
    )
    client.log_event({"event_type": "bad", "user_id": "datamonster"})
    client.flush().result(30)
    client.shutdown()
    _, rings = rings_of(spool_dir, "https://api2.amplitude.com/2/httpapi")
    (path,) = (rings.parent / "dead-letters").iterdir()
    (line,) = path.read_text("utf-8").splitlines()
    letter = json.loads(line)
    words = re.search(r"^    (\{\"time\":<ms>.*)$", TEXT, re.MULTILINE)[1]

    assert list(letter) == re.findall(r'"(\w+)":', words)
    assert letter["event"]["event_type"] == "bad"
    assert letter["status_code"] == 403
    day = time.strftime("%Y-%m-%d", time.gmtime(letter["time"] / 1000))
    assert path.name == f"{day}.ndjson"
