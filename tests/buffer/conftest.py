# SPDX-License-Identifier: MIT
"""
A folder of the spool on an ordinary disk, and one on a disk soon full.
"""

from __future__ import annotations

import os
import subprocess

import pytest

from ringamp.buffer.backlog import Backlog
from ringamp.buffer.folder import Folder


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
