# SPDX-License-Identifier: MIT
"""
A spool directory that cannot be used, or is too small: the client goes on, in
memory where there is no other way.
"""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path

import pytest
from descriptors import descriptors

import ringamp
from ringamp import MemoryTransport, Status
from ringamp.client import Client
from ringamp.options import Options
from ringamp.transport.payload import Envelope

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def spool_dir(tmp_path):
    """
    The path of a spool that is not there yet.
    """
    return tmp_path / "spool"


def rings(path):
    """
    List the ring files below a directory.
    """
    return list(path.rglob("*.ring"))


def link(path):
    """
    Make the spool directory a link.
    """
    (path.parent / "elsewhere").mkdir()
    path.symlink_to(path.parent / "elsewhere")


def wide(path):
    """
    Make one that all may write to.
    """
    path.mkdir()
    path.chmod(0o777)


def hashed(path):
    """
    Put a file where the project's directory should be.
    """
    path.mkdir(0o700)
    project = Envelope(KEY, Options()).project
    (path / project.hex()).touch()


BROKEN = {
    "a file": (Path.touch, "is no directory"),
    "a link": (link, "is a link"),
    "wide open": (wide, "others may write to it"),
    "a file for a project": (hashed, "is no directory"),
    "a FIFO": (os.mkfifo, "is no directory"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_without_a_usable_directory_memory_will_do(
    make_client, event, spool_dir, caplog, name
):
    """
    One warning and one line in the log say why; everything else goes on.
    """
    spoil, words = BROKEN[name]
    spoil(spool_dir)
    transport = MemoryTransport()
    with (
        caplog.at_level(logging.WARNING, "ringamp"),
        pytest.warns(RuntimeWarning, match=words) as caught,
    ):
        client = make_client(
            server_url=None,
            spool_dir=spool_dir,
            transport_class=transport,
            log_level="WARN",
        )

    assert client.log_event(event(1)).result(30).status is Status.SUCCESS
    assert len(caught) == 1
    assert caught[0].filename == str(Path(__file__).with_name("conftest.py"))
    assert caplog.text.count("there is no spool") == 1
    assert words in caplog.text
    assert transport.events[0]["event_id"] == 1
    assert client.stats().adopted == 0


def test_a_parent_that_cannot_be_written_to(make_client, event, tmp_path):
    """
    As in a container whose root is read-only; here it is what no directory
    can be made in.
    """
    with pytest.warns(RuntimeWarning, match="there is no spool"):
        client = make_client(
            spool_dir="/proc/nowhere/spool", transport_class=MemoryTransport()
        )

    assert client.log_event(event()).result(30).status is Status.SUCCESS


def test_warnings_that_are_errors_leave_a_client(event, spool_dir):
    """
    Who turns warnings into exceptions gets one, and has a client that works.
    """
    wide(spool_dir)
    client = Client("strict")
    transport = MemoryTransport()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match="there is no spool"):
            client.init(KEY, spool_dir=spool_dir, transport_class=transport)

    assert client.log_event(event()).result(30).status is Status.SUCCESS
    client.shutdown()


def test_a_small_disk_gives_a_small_ring(
    make_client, event, spool_dir, monkeypatch, caplog
):
    """
    It says so, and works.
    """
    monkeypatch.setattr(
        "ringamp.buffer.folder.Folder.free_bytes", lambda _: 600_000
    )
    with caplog.at_level(logging.WARNING, "ringamp"):
        client = make_client(
            spool_dir=spool_dir,
            transport_class=MemoryTransport(),
            log_level="WARN",
        )

    assert client.stats().buffer_capacity == 2**17
    assert "has 131072 bytes instead of 33554432" in caplog.text
    assert client.log_event(event()).result(30).status is Status.SUCCESS


def test_no_room_for_any_ring(make_client, event, spool_dir, monkeypatch):
    """
    Memory will do; the directories stay closed.
    """
    before = descriptors()
    monkeypatch.setattr(
        "ringamp.buffer.folder.Folder.free_bytes", lambda _: 100
    )
    with pytest.warns(RuntimeWarning, match="has 100 bytes left"):
        client = make_client(
            spool_dir=spool_dir, transport_class=MemoryTransport()
        )

    assert client.log_event(event()).result(30).status is Status.SUCCESS
    client.shutdown()
    assert descriptors() == before
    assert rings(spool_dir) == []


def test_the_option_of_a_relay_is_checked_at_init(spool_dir):
    """
    Nothing has changed then.
    """
    client = Client("relay")

    with pytest.raises(ringamp.OptionsError, match="without spool_dir"):
        client.init(KEY, delivery="relay")

    assert client.log_event({}).status is Status.SKIPPED
    assert not spool_dir.exists()
