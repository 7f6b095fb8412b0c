# SPDX-License-Identifier: MIT
"""
The floors of the package and the owners of effects, as two tables that the
sources are read against.

A module imports sideways or down, never up. What stands on top (`EDGES`) is
imported by none of the floors. An effect not granted in `OWNERS` has no
owner: whatever is not named there is pure.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from source_tree import graph, read

import ringamp

ROOT = Path(ringamp.__file__).parent

FLOORS = [
    ["_native"],
    [
        *("bindings", "errors", "clock", "logs", "signals", "version"),
        *("redaction", "user_code"),
    ],
    ["events", "options", "option_rules", "status", "protocols", "counters"],
    ["buffer"],
    ["transport"],
    ["retry"],
    ["flusher"],
    [
        *("storage", "session", "middleware", "careful", "direct"),
        *("shorthands", "client"),
    ],
    ["registry"],
    [""],
]
"""Lowest first; a folder stands for all in it, "" for `ringamp` itself."""

EDGES = {
    "collector": ["bindings", "errors", "clock", "logs"],
    # The process that the CLI starts: it owns its thread, and sleeps itself.
    "relay": [
        *("clock", "counters", "errors", "logs", "options", "buffer"),
        *("flusher", "retry", "transport"),
    ],
    "cli": ["collector", "relay", "errors", "options", ""],
    "integrations": ["clock", "errors", "logs", "flusher", "registry"],
    "__main__": ["cli"],
}
"""What stands on top, and all that it may import beside itself."""

FILES = [
    *("mkdir", "scandir", "stat", "rename", "unlink", "fstatvfs"),
    *("O_APPEND", "O_CLOEXEC", "O_CREAT", "O_DIRECTORY", "O_EXCL", "open"),
    *("O_NOFOLLOW", "O_NONBLOCK", "O_RDONLY", "O_RDWR", "O_WRONLY"),
    "stat_result",
]
"""What of `os` the files of the spool are found, made and checked with."""

OWNERS = {
    **{f"os.{name}": {"buffer/folder"} for name in FILES},
    # Who a file belongs to; whose directory "auto" is.
    "os.geteuid": {"buffer/adoption", "buffer/folder", "options"},
    "os.fchmod": {"buffer/folder", "buffer/writing"},
    "os.ftruncate": {"buffer/writing"},
    "os.lseek": {"buffer/writing"},
    # A dead ring is read by calls and not through a map.
    "os.pread": {"buffer/adoption", "buffer/folder", "buffer/writing"},
    "os.preadv": {"buffer/adoption"},
    "os.pwrite": {"buffer/adoption"},
    "os.posix_fallocate": {"buffer/spool"},
    "os.SEEK_CUR": {"buffer/writing"},
    "os.write": {"buffer/writing"},
    "ringamp._native": {"bindings"},
    "ctypes": {"bindings"},
    "mmap": {"buffer/region"},
    "_socket": {"transport/connections"},
    "socket": {
        "transport/connections",
        "transport/http",
        "transport/sockets",
    },
    "ssl": {
        "transport/connections",
        "transport/http",
        "transport/sockets",
    },
    "http": {"transport/answers", "transport/http"},
    "select": {"transport/sockets"},
    "urllib3": {"transport/connections", "transport/targets"},
    "_thread": {
        "flusher/loop",
        "flusher/senders",
        "flusher/threads",
        "flusher/uploads",
    },
    # Locks; threads are started by `_thread` alone, see below. The counters
    # ask which thread it is.
    "threading": {
        "client",
        "counters",
        "flusher/bell",
        "flusher/loop",
        "flusher/outcomes",
        "flusher/threads",
        "session",
        "signals",
        "user_code",
    },
    "atexit": {"flusher/lifecycle"},
    # The policies only name the type of the source they are given.
    "random": {
        "retry/backoff",
        "retry/none",
        "retry/offline",
        "retry/ordered",
    },
    # careful: a blocked call sleeps, on the caller's thread. logs: lines are
    # rare by the real clock, also under a client's own.
    "time": {"careful", "clock", "logs"},
    "os.close": {"buffer/folder", "transport/sockets"},
    "os.fstat": {
        "buffer/adoption",
        "buffer/folder",
        "buffer/writing",
        "transport/sockets",
    },
    "os.register_at_fork": {"flusher/lifecycle"},
    "os.strerror": {"bindings", "buffer/lease", "transport/http"},
    "os.urandom": {"buffer/region"},
    "os.environ": {"options"},
    # For people who look at a ring file; nothing is decided by it.
    "os.getpid": {"buffer/spool"},
    "os.fsencode": {"buffer/lease", "option_rules"},
    "os.fspath": {"option_rules"},
    "os.PathLike": {"option_rules"},
    "random.SystemRandom": {"retry/backoff"},
    "warnings.warn": {"client", "options"},
}
"""
Who may import a module, and who may use those names of `os`, `random` and
`warnings`; of `os` nothing else is used at all.
"""

NOBODY = {
    "asyncio",
    "fcntl",
    "multiprocessing",
    "print",
    "input",
    "open",
    "signal",
    "subprocess",
    "tempfile",
    "threading.Thread",
    "threading.Timer",
    "threading.enumerate",
    "time.time_ns",
    "uuid.uuid1",
    "uuid.uuid4",
    "secrets",
}
"""Modules that no floor imports, names that none uses."""


def floor_of(home):
    """
    Return the number of the floor of a file or folder, None if it has none.
    """
    return next(
        (number for number, homes in enumerate(FLOORS) if home in homes), None
    )


def homes_of(name):
    """
    Return the file or folder that a dotted name is imported from; a name of
    `ringamp` itself is from "".
    """
    if name != "ringamp" and not name.startswith("ringamp."):
        return None
    home = name.split(".")[1] if "." in name else ""
    known = {*EDGES, *(home for homes in FLOORS for home in homes)}
    return home if home in known else ""


def misplaced(root):
    """
    Find the files without a floor and the imports that go up.
    """
    found = []
    for module in read(root):
        floor = floor_of(module.home)
        if floor is None and module.home not in EDGES:
            found.append(f"{module.path}: on no floor")
            continue
        for node, name in module.imports():
            home = homes_of(name)
            if name.startswith("."):
                found.append(f"{module.at(node)}: relative import of {name}")
            if home is None or home == module.home:
                continue
            target = floor_of(home)
            if floor is None:
                allowed = home in EDGES[module.home]
            else:
                allowed = target is not None and target <= floor
            if not allowed:
                found.append(f"{module.at(node)}: imports {name}, upwards")
    return found


def effects(root):
    """
    Find the effects on the floors that nobody granted.
    """
    found = []
    for module in read(root):
        if module.home in EDGES:
            continue
        used = [*module.imports(), *module.uses()]
        for node, name in used:
            prefixes = {
                name,
                name.partition(".")[0],
                ".".join(name.split(".")[:2]),
            }
            owners = [OWNERS[one] for one in prefixes if one in OWNERS]
            is_strange = name.startswith("os.") and not owners
            if (
                is_strange
                or prefixes & NOBODY
                or any(module.name not in some for some in owners)
            ):
                found.append(f"{module.at(node)}: {module.name} uses {name}")
    return found


def test_every_import_goes_sideways_or_down():
    """
    Each file is on a floor or on top, and imports nothing from above; so no
    floor imports what is on top, nor names of `ringamp` itself.
    """
    assert misplaced(ROOT) == []


def test_every_effect_has_its_owners():
    """
    Maps, sockets, threads, exit hooks, chance, time, the environment and
    printing are used where the table says, and nowhere else.
    """
    assert effects(ROOT) == []


def test_no_two_modules_need_each_other():
    """
    Within a floor too, there is an order in which the modules can be read.
    """
    assert list(TopologicalSorter(graph(ROOT)).static_order())


def test_the_tables_name_what_there_is():
    """
    No row is left over from a file that has gone, or that no longer does
    what it is granted.
    """
    modules = {module.name: module for module in read(ROOT)}
    homes = {module.home for module in modules.values()}
    idle = [
        (owner, effect)
        for effect, owners in OWNERS.items()
        for owner in owners
        if not any(
            f"{name}.".startswith(f"{effect}.")
            for _, name in [*modules[owner].imports(), *modules[owner].uses()]
        )
    ]

    assert idle == []
    assert {home for floor in FLOORS for home in floor} - homes == {"_native"}
    assert EDGES.keys() <= homes


def test_a_circle_is_found(tmp_path):
    """
    Two modules of one floor that import each other are told.
    """
    for name, other in (("clock", "logs"), ("logs", "clock")):
        source = f"from ringamp.{other} import something\n"
        (tmp_path / f"{name}.py").write_text(source)

    with pytest.raises(CycleError):
        list(TopologicalSorter(graph(tmp_path)).static_order())


WRONG = {
    "up": ("buffer/ring.py", "from ringamp.client import Client"),
    "edge": ("client.py", "import ringamp.collector"),
    "itself": ("retry/none.py", "from ringamp import Status"),
    "bare": ("logs.py", "import ringamp"),
    "core": ("client.py", "from ringamp import _native"),
    "late": ("clock.py", "def f():\n    import ringamp.options"),
    "relative": ("retry/none.py", "from .decision import Drop"),
    "stranger": ("helpers.py", "x = 1"),
    "collector": ("collector/app.py", "from ringamp.client import Client"),
    "socket": ("retry/none.py", "import socket"),
    "thread": ("flusher/loop.py", "import threading\nthreading.Thread()"),
    "named thread": ("client.py", "from threading import Thread"),
    "environment": ("client.py", "import os\nx = os.environ"),
    "named environment": ("client.py", "from os import environ"),
    "lock of a file": ("buffer/lease.py", "import fcntl"),
    "pid": ("buffer/adoption.py", "import os\nos.getpid()"),
    "time": ("events/event.py", "from time import time"),
    "print": ("client.py", "print(1)"),
    "exit": ("client.py", "import atexit"),
    "map": ("buffer/ring.py", "import mmap"),
    "fork": ("flusher/loop.py", "import os\nos.register_at_fork()"),
}
"""One breach of each rule: where, and the source."""


@pytest.mark.parametrize("name", WRONG)
def test_a_breach_is_found_with_file_and_line(tmp_path, name):
    """
    Each kind of breach is found, and told by file and line.
    """
    place, source = WRONG[name]
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source + "\n")

    found = [*misplaced(tmp_path), *effects(tmp_path)]

    assert found
    assert all(one.startswith(f"{path}:") for one in found)
