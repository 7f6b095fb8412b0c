# SPDX-License-Identifier: MIT
"""
Scaffolding of the process tests: start a program of its own, wait for it with
a deadline, read what it told as JSON lines.

A program is Python source. It runs in a session of its own, so that whatever
it forked and left behind can be ended with it, and nothing else can.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent

FORK_WARNING = "ignore:This process:DeprecationWarning"
"""Python 3.12 warns of a fork beside threads; programs do that on purpose."""


class Run(NamedTuple):
    """
    How a program ended.

    Attributes:
        code: Its exit code.

        told: What it and its children told, in that order.

        out: Its stdout, with that.

        err: Its stderr.

        seconds: How long it took.

        hung: Whether it outlived its deadline and was killed.
    """

    code: int
    told: list[dict]
    out: str
    err: str
    seconds: float
    hung: bool

    def of(self, **fields):
        """
        Return what was told with these values.
        """
        return [
            line
            for line in self.told
            if all(line.get(name) == value for name, value in fields.items())
        ]

    def the(self, **fields):
        """
        Return the one thing that was told with these values.
        """
        (line,) = self.of(**fields)
        return line


def environment(**more):
    """
    Return the environment of a program, which may import `workload`.
    """
    path = [str(HERE), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        **more,
    }


class Program:
    """
    A program that runs.

    Args:
        command: Its command line.

        env: Its environment.

        cwd: Its directory.

        stdin: Whether the test talks to it.
    """

    def __init__(self, command, env, cwd=None, *, stdin=False):
        self._begin = time.monotonic()
        # No pipe: a server that logs its requests would fill one, and wait
        # for a reader with a request in its hands.
        self._err = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._err,
            text=True,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )

    @property
    def pid(self):
        """
        The process id.
        """
        return self.process.pid

    def say(self, line):
        """
        Write a line to its stdin.
        """
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def hear(self):
        """
        Read one line that it tells, ahead of the rest.
        """
        return json.loads(self.process.stdout.readline())

    def kill(self):
        """
        End it, and all that it started.
        """
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def end(self):
        """
        Kill it if it lives, and close what it wrote, read or not.
        """
        self.kill()
        self.process.communicate(timeout=30)
        self._err.close()

    def wait(self, deadline):
        """
        Wait until it and all its children have ended.

        Args:
            deadline: Seconds after which it counts as hung, and is made to
                print its stacks and killed.
        """
        hung = False
        try:
            out, _ = self.process.communicate(timeout=deadline)
        except subprocess.TimeoutExpired:
            hung = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGABRT)
            try:
                out, _ = self.process.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                self.kill()
                out, _ = self.process.communicate()
        finally:
            self.kill()
        # Read from the start: whoever outlives it still writes at the end.
        size = os.fstat(self._err.fileno()).st_size
        err = os.pread(self._err.fileno(), size, 0).decode()
        self._err.close()
        told = [
            json.loads(line) for line in out.splitlines() if line[:1] == "{"
        ]
        seconds = time.monotonic() - self._begin
        return Run(self.process.returncode, told, out, err, seconds, hung)


def start(source, *args, url="", flags=(), file=None, stdin=False, **env):
    """
    Start Python *source*.

    Args:
        source: Indented as it stands in a test, or the path of a file.

        *args: Of the program.

        url: Where it finds the collector.

        flags: Of the interpreter.

        file: Where to write the source first, for a program that is imported
            by its children.

        stdin: Whether the test talks to it.

        **env: Added to its environment.
    """
    if file is not None:
        file.write_text(textwrap.dedent(source))
        source = file
    if isinstance(source, Path):
        code = [str(source)]
    else:
        code = ["-c", textwrap.dedent(source)]
    command = [
        *(sys.executable, "-X", "faulthandler", "-W", FORK_WARNING),
        *flags,
        *code,
        *map(str, args),
    ]
    return Program(
        command, environment(RINGAMP_TEST_URL=url, **env), stdin=stdin
    )


def run(source, *args, deadline=60.0, **more):
    """
    Run Python *source* to its end; see `start`.
    """
    return start(source, *args, **more).wait(deadline)


def blames_us(run):
    """
    Whether a traceback in its stderr leads through ringamp. Servers print
    tracebacks of their own, and faulthandler the stacks of what is killed.
    """
    return re.search(r'/ringamp/[\w/]*\.py", line \d+, in', run.err)


def wait_until(condition, seconds=30.0):
    """
    Wait until *condition* holds; say whether it came to that.
    """
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.02)
    return True
