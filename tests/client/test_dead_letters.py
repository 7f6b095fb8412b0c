# SPDX-License-Identifier: MIT
"""
With a spool, what the service refuses for good is kept with its reason.
"""

from __future__ import annotations

import json

import pytest

from ringamp import Status
from ringamp.collector import Collector, Fault, Settings

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def spooled(make_client, tmp_path):
    """
    Make clients with a spool.
    """

    def make(**options):
        return make_client(spool_dir=str(tmp_path / "spool"), **options)

    return make


class Files:
    """
    What lies in a spool.

    Args:
        path: Of the spool.
    """

    def __init__(self, path):
        self._path = path

    def letters(self):
        """
        Read all dead letters.
        """
        return [
            json.loads(line)
            for page in sorted(self._path.glob("*/dead-letters/*"))
            for line in page.read_text().splitlines()
        ]

    def everything(self):
        """
        Read the bytes of all files.
        """
        files = [path for path in self._path.rglob("*") if path.is_file()]
        return b"".join(path.read_bytes() for path in files)


@pytest.fixture
def files(tmp_path):
    """
    Show what lies in the spool.
    """
    return Files(tmp_path / "spool")


def numbers(found):
    """
    Say which events these letters are.
    """
    return [one["event"]["event_id"] for one in found]


def test_named_events_become_dead_letters(spooled, event, collector, files):
    """
    Those that a 400 names, whole as they were sent; the rest is delivered.
    """
    collector.faults.add(
        Fault(indexes=(1, 3), family="events_with_invalid_fields")
    )
    client = spooled(upload_interval_in_sec=60)
    receipts = [client.log_event(event(number)) for number in range(5)]
    client.flush().result(30)

    found = files.letters()

    assert numbers(found) == [1, 3]
    for one in found:
        assert one["status"] == str(Status.INVALID)
        assert one["status_code"] == 400
        assert one["reason"] == receipts[1].response.error
        assert one["event"]["insert_id"]
        assert one["event"]["user_id"] == "datamonster"
    assert client.stats().delivered == 3
    assert client.stats().rejected == 2
    assert KEY.encode() not in files.everything()


def test_an_event_that_is_too_large_becomes_a_dead_letter(
    spooled, event, collector, files
):
    """
    One alone that gets a 413 can never be sent.
    """
    collector.faults.add(Fault(status=413))
    client = spooled()

    response = client.log_event(event(7)).result(30)

    assert response.status is Status.PAYLOAD_TOO_LARGE
    (one,) = files.letters()
    assert numbers([one]) == [7]
    assert (one["status_code"], one["status"]) == (413, str(response.status))


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (None, 400),
        (Fault(status=403, body=f"no {KEY} here"), 403),
        (
            Fault(
                status=400,
                body={"code": 400, "error": f"Invalid API key: {KEY}"},
            ),
            400,
        ),
    ],
)
def test_a_refused_key_is_in_no_dead_letter(
    spooled, event, files, *, fault, code
):
    """
    All events of the request are kept, with a reason; the key is in no file
    of the spool, also where the service repeats it.
    """
    with Collector(settings=Settings(api_keys={"another"})) as strict:
        if fault is not None:
            strict.faults.add(fault)
        client = spooled(server_url=strict.url, upload_interval_in_sec=60)
        for number in range(3):
            client.log_event(event(number))
        client.flush().result(30)

        found = files.letters()
        kept = files.everything()

    assert numbers(found) == [0, 1, 2]
    assert {one["status_code"] for one in found} == {code}
    assert all(one["reason"] for one in found)
    assert KEY.encode() not in kept


def test_what_is_refused_out_of_the_backlog_becomes_a_dead_letter(
    spooled, event, collector, files, until
):
    """
    As out of the ring.
    """
    collector.faults.add(Fault(status=503))
    client = spooled(upload_interval_in_sec=60, retry_timeouts=[])
    for number in range(4):
        client.log_event(event(number))
    assert client.flush().result(30).status is Status.QUEUED
    collector.faults.add(
        Fault(indexes=(2,), family="events_with_missing_fields")
    )

    until(lambda: client.stats().recovered_delivered == 3)

    assert numbers(files.letters()) == [2]
    assert client.stats().recovered_rejected == 1
