# SPDX-License-Identifier: MIT
"""
Small builders for the tests of the spool's files.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

RING, OTHER = "0123456789abcdefghijklmnop", "v" * 26
NOW = 1_700_000_000_000
EVENTS = [b'{"n":%d}' % number for number in range(5)]
# A number that no backlog of a test comes to by counting.
NAME = f"{NOW}-{RING}-123456789-5.json"
STRANGER = 65534

as_root = pytest.mark.skipif(os.geteuid(), reason="only root gives files away")


def at(folder, name=""):
    """
    Return the path of *name* in *folder*.
    """
    return Path(folder.path, name)


def put(backlog, events=EVENTS, **changes):
    """
    Put events as one process does, changed as told.
    """
    usual = {"now_ms": NOW, "owner": RING, "min_id_length": 5}
    return backlog.put(events, **{**usual, **changes})


def events_of(backlog, name):
    """
    Take a file, give it back, and return its events.
    """
    shelved = backlog.take(name)
    shelved.close()
    return [*shelved.events]


def plant(folder, data, name=NAME):
    """
    Put *data* where a batch should be; return its path.
    """
    path = at(folder, name)
    path.write_bytes(data)
    return path
