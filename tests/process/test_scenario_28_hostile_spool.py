# SPDX-License-Identifier: MIT
"""
Hostile and broken files in a spool: a client that lives in it starts, logs,
delivers its own events once, and ends in time; it sends nothing of another
project and nothing that nobody has logged.

The rings were left by real processes that were killed.
"""

from __future__ import annotations

import json
import os
import random
import shutil

import hostile
import pytest
import sealed
import wreckage
from hostile import BAD, DAMAGES, LEFT, OWN, SENT, tags
from workload import KEY

from ringamp.bindings import HEADER_SIZE
from ringamp.buffer.region import new_ring_id
from ringamp.buffer.shelved import Label
from ringamp.buffer.spool import ring_text
from ringamp.collector import Fault

pytestmark = [pytest.mark.process, pytest.mark.slow]

FLIPS = 250
"""Copies of a ring, each with another bit flipped."""


@pytest.mark.parametrize("name", DAMAGES)
def test_scenario_28_a_ring_that_was_tampered_with(
    left, live, collector, name
):
    """
    It is put aside, passed over, or sent as far as it is sound; the ring
    beside it is sent, and no other project's.
    """
    damage, fate = DAMAGES[name]
    if name == "another user's" and os.geteuid():
        pytest.skip("only root gives files away")
    damage(left)

    told = live()

    must = [*tags("own", OWN), *tags("witness")]
    must += tags("target") if fate == SENT else []
    assert sealed.faults_of(collector.events(), must) == []
    assert not left.witness.exists()
    assert os.path.lexists(left.target) is (fate == LEFT)
    assert left.target.with_suffix(".bad").exists() is (fate == BAD)
    # One more, where the other project's was put beside it as a ring.
    beside = 1 if name.startswith("beside") else 0
    assert told["quarantined"] == (fate == BAD) + beside
    assert left.stranger.exists()


def test_scenario_28_flipped_bits_everywhere(left, live, collector):
    """
    In every field of the header, in the positions, in and between records:
    each copy is refused, or sent as far as it is sound.
    """
    rng = random.Random(28)
    content = left.target.read_bytes()
    end = HEADER_SIZE + wreckage.read_number(left.target, wreckage.TAIL_AT)
    places = [*range(80), *range(4092, 4128), *range(4224, 4264)]
    bits = [8 * at + rng.randrange(8) for at in places]
    bits += rng.choices(range(8 * HEADER_SIZE, 8 * end), k=FLIPS)
    for bit in bits:
        changed = bytearray(content)
        hostile.flip(changed, bit)
        left.beside().write_bytes(changed)
    left.target.unlink()

    told = live(patience=30)

    must = [*tags("own", OWN), *tags("witness")]
    faults = sealed.faults_of(collector.events(), must, tags("target"))
    assert faults == []
    assert told["adopted"] + told["quarantined"] == len(bits) + 1
    assert told["quarantined"] >= 100
    assert told["bad_crc"] > FLIPS // 2


EVIL = [
    *(b"", b"{", b"}", b"null", b"[]", b"{}", b'"x"', b"\xff\xfe\0\0"),
    *(b'{"event_type":1e999}', b"[" * 1500, b'{"a":' * 300),
    *(b'{"a":1},{"b":2}', b'{"a":1}]}', b'{"a":1}],"api_key":"b","c":[{}'),
    b'{"event_type":"t","user_id":"somebody"},{"event_type":"t"',
    # These are JSON, and the service's to refuse.
    *(b'{"a":"\\q"}', b'{"user_id":["x"]}', b'{"event_type":{}}'),
]
WEATHERS = {
    "fine": None,
    "throttled": Fault(users=("user of attacker/3", "user of attacker/18")),
    "refused": Fault(status=503),
    "bad": Fault(reset="after"),
}


@pytest.mark.parametrize("weather", WEATHERS)
def test_scenario_28_records_that_are_no_json(left, live, collector, weather):
    """
    Somebody wrote them who computes checksums. They end as dead letters; the
    good ones around them are delivered.
    """
    spool = wreckage.open_spool(
        left.path.parent, wreckage.project_of(KEY, collector.url)
    )
    good = [sealed.event(tag) for tag in tags("attacker", len(EVIL) + 2)]
    mixed = [one for pair in zip(good, EVIL, strict=False) for one in pair]
    wreckage.leave(spool, [*mixed, *good[-2:]], min_id_length=0)
    spool.close()
    fault = WEATHERS[weather]
    if fault is not None:
        collector.add_fault(fault, times=1 if fault.users else 2)

    told = live(patience=30)

    must, others = tags("own", OWN), tags("attacker", len(good))
    if weather == "throttled":
        # Two wait for half a minute, and other rings behind theirs.
        must += [tag for n, tag in enumerate(others) if n not in {3, 18}]
        others += [*tags("witness"), *tags("target")]
    else:
        must += [*tags("witness"), *tags("target"), *others]
    assert sealed.faults_of(collector.events(), must, others) == []
    assert told["recovered_rejected"] == len(EVIL)
    assert told["callback_errors"] == 0
    (page,) = left.path.glob("dead-letters/*.ndjson")
    assert len(page.read_bytes().splitlines()) == len(EVIL)


def test_scenario_28_a_backlog_that_was_tampered_with(left, live, collector):
    """
    Files with flipped bits, cut short, of another project, or no files at
    all, under names of the backlog: put aside. Those beside them are sent.
    """
    folder = left.path / "backlog"
    hostile.leave(left.path.parent, collector.url, KEY, "shelf=backlog:5")
    hostile.leave(
        left.path.parent,
        collector.url,
        hostile.OTHER_KEY,
        "strange=backlog:5",
    )
    (good,) = folder.glob("*.json")
    (strange,) = left.stranger.parents[1].glob("backlog/*.json")
    content = good.read_bytes()
    rng = random.Random(28)

    def place(suffix=".json"):
        """
        Return a path that a file of the backlog could have.
        """
        label = Label(
            *(rng.randrange(10**12), ring_text(new_ring_id())),
            *(rng.randrange(100), 5, suffix),
        )
        return folder / str(label)

    for _ in range(60):
        changed = bytearray(content)
        hostile.flip(changed, rng.randrange(8 * len(content)))
        place().write_bytes(changed)
        # What lacks nothing but its checksum is as one that a person wrote.
        length = rng.randrange(len(content) - hostile.SEAL_LENGTH)
        place().write_bytes(content[:length])
    for suffix in (".json", ".held"):
        shutil.copy(strange, place(suffix))
        place(suffix).mkdir()
        os.mkfifo(place(suffix))
        place(suffix).symlink_to(strange)
        place(suffix).symlink_to("/dev/zero")
        with place(suffix).open("wb") as file:
            file.truncate(1 << 40)

    told = live(patience=30)

    must = [
        *tags("own", OWN),
        *tags("witness"),
        *tags("target"),
        *tags("shelf", 5),
    ]
    assert sealed.faults_of(collector.events(), must) == []
    assert not good.exists()
    assert strange.exists()
    assert told["quarantined"] >= 120
    assert list(folder.glob("*.json")) == []


LETTERS = {
    "a link": lambda page: page.symlink_to("/dev/full"),
    "a FIFO": os.mkfifo,
    "a directory": lambda page: page.mkdir(),
    "noise": lambda page: page.write_bytes(os.urandom(5000)),
}


@pytest.mark.parametrize("name", LETTERS)
def test_scenario_28_dead_letters_that_were_tampered_with(
    left, live, collector, name
):
    """
    What lies under the day's name is not followed, waited for or fatal; the
    refused event is refused all the same.
    """
    folder = left.path / "dead-letters"
    hostile.leave(left.path.parent, collector.url, KEY, "bad=letters:1")
    (page,) = folder.iterdir()
    page.unlink()
    LETTERS[name](page)
    collector.add_fault(Fault(status=403), times=1)

    told = live(answers=None)

    assert told["rejected"] + told["recovered_rejected"] > 0
    if name == "noise":
        lines = page.read_bytes().splitlines()
        assert "event" in json.loads(lines[-1])


def test_scenario_28_nothing_but_noise(spool, live, collector):
    """
    Files and directories of all kinds and names, everywhere.
    """
    rng = random.Random(28)
    project = wreckage.project_of(KEY, collector.url)
    own = spool.path / project.hex()
    for folder in ("rings", "backlog", "dead-letters"):
        (own / folder).mkdir(0o700, parents=True)
        for suffix in (".ring", ".json", ".held", ".tmp", ".bad", ".ndjson"):
            for size in (0, 1, 100, 100_000):
                name = os.fsencode(f"{rng.randbytes(5)!r}".replace("/", "_"))
                path = os.fsencode(own / folder) + b"/\xff" + name
                with open(path + suffix.encode(), "wb") as file:  # noqa: PTH123 - no text.
                    file.write(rng.randbytes(size))
                plain = own / folder / (ring_text(rng.randbytes(16)) + suffix)
                plain.write_bytes(rng.randbytes(size))
    own.chmod(0o700)

    told = live()

    assert sealed.faults_of(collector.events(), tags("own", OWN)) == []
    assert told["quarantined"] == 4
