# SPDX-License-Identifier: MIT
"""
A spool, a dead process's ring in it, and a folder of it on an ordinary disk
and on one soon full.
"""

from __future__ import annotations

import os
import subprocess

import pytest
from wreckage import leave, open_spool, some

from ringamp.buffer.backlog import Backlog
from ringamp.buffer.folder import Folder


@pytest.fixture
def spool(tmp_path):
    """
    The spool of one project.
    """
    opened = open_spool(tmp_path / "spool")
    yield opened
    opened.close()


@pytest.fixture
def ring_id(spool):
    """
    A dead process's ring.
    """
    return leave(spool, some(5))


@pytest.fixture
def folder(tmp_path):
    """
    Open a directory that did not exist; close it at the end.
    """
    made = Folder.open(str(tmp_path / "spool"))
    yield made
    made.close()


@pytest.fixture
def backlog(folder):
    """
    Make a backlog in the folder.
    """
    return Backlog(folder)


@pytest.fixture
def tiny(tmp_path):
    """
    Mount a file system of 64 KiB; skip where that cannot be done.
    """
    path = tmp_path / "tiny"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "x", path]
    if os.geteuid() or subprocess.run(command, check=False).returncode:
        pytest.skip("only root mounts a file system, and not everywhere")
    opened = Folder.open(str(path))
    yield opened
    opened.close()
    subprocess.run(["umount", path], check=True)
