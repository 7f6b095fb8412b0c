# SPDX-License-Identifier: MIT
"""
A web application that logs an event a request, served as a user would serve
it, and requests to it over a unix socket.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import runner

APP = """
import os
if os.environ.get("PATCH") == "gevent":
    from gevent import monkey
    monkey.patch_all()
import ctypes, json, sys
import workload

client = workload.begin(**json.loads(os.environ.get("OPTIONS", "{}")))
workload.log(client, os.environ.get("AT_IMPORT", ""), 0)
if os.environ.get("AT_IMPORT") == "master":
    workload.log(client, "master", 10)
    if "FLUSH" in os.environ:
        client.flush().result(30)
elif os.environ.get("AT_IMPORT") == "each":
    workload.log(client, f"load{os.getpid()}", 10)

def note(**fields):
    line = json.dumps({"pid": os.getpid(), **fields}) + "\\n"
    with open(os.environ["NOTES"], "ab", buffering=0) as notes:
        notes.write(line.encode())

if os.environ.get("INSTALL") == "uwsgi":
    import ringamp.integrations.uwsgi
    note(what="install", threads=ringamp.integrations.uwsgi.install())

note(what="load", threads=workload.threads())

def be_stuck():
    # The GIL is kept, so no thread and no signal handler runs either.
    mutex = ctypes.create_string_buffer(128)
    for _ in range(2):
        ctypes.PyDLL(None).pthread_mutex_lock(mutex)

HARM = {
    "/stuck": be_stuck,
    "/segfault": lambda: ctypes.string_at(0),
    "/kill": lambda: os.kill(os.getpid(), 9),
}

def app(environ, start_response):
    client.log_event(workload.event("r-" + environ["QUERY_STRING"]))
    HARM.get(environ["PATH_INFO"], int)()
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


INSISTENT = 5
"""Tries of a request while workers are replaced: uWSGI and gunicorn's gthread
then end some between taking a connection and reading it. A proxy asks again,
and so do we; had the request been read, its event would come twice."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Site:
    """
    A server and its application, in a directory of their own.

    Args:
        tmp_path: The directory.

        command: What starts the server, without the socket's option.

        url: The collector's.

        app: The application's source.

        **env: Added to the environment.
    """

    def __init__(self, tmp_path, command, url, *, app=APP, **env):
        (tmp_path / "app.py").write_text(app)
        self._socket = str(tmp_path / "s")
        self._notes = tmp_path / "notes"
        self._notes.touch()
        self.program = runner.Program(
            [part.format(socket=self._socket) for part in command],
            runner.environment(
                RINGAMP_TEST_URL=url, NOTES=str(self._notes), **env
            ),
            cwd=tmp_path,
        )
        self.numbers = iter(range(1 << 40))
        self.asked = 0
        self.by_pid = defaultdict(set)

    def __enter__(self):
        assert runner.wait_until(self._answers, 60), self.program.wait(0)
        return self

    def __exit__(self, *_):
        self.program.end()

    def _answers(self):
        with contextlib.suppress(OSError):
            sock = socket.socket(socket.AF_UNIX)
            with sock:
                sock.connect(self._socket)
                return True
        return self.program.process.poll() is not None

    def get(self, number, path="/", tries=1):
        """
        Make request *number*; return the pid of the worker.
        """
        for _ in range(tries - 1):
            with contextlib.suppress(ConnectionError):
                return self._get(number, path)
        return self._get(number, path)

    def _get(self, number, path):
        connection = _UnixConnection(self._socket)
        try:
            connection.request("GET", f"{path}?{number}")
            answer = connection.getresponse()
            assert answer.status == 200
            pid = int(answer.read())
        finally:
            connection.close()
        self.by_pid[pid].add(f"r-{number}")
        return pid

    def ask(self, count, tries=1):
        """
        Make *count* requests, four at a time; return the workers' pids.
        """
        numbers = [next(self.numbers) for _ in range(count)]
        self.asked += count
        with ThreadPoolExecutor(4) as pool:
            return set(pool.map(partial(self.get, tries=tries), numbers))

    def ask_all(self, count, workers=2, tries=1):
        """
        Make *count* requests, or more, until so many workers have answered.
        """
        pids = self.ask(count, tries)
        give_up = time.monotonic() + 60
        while len(pids) < workers:
            assert time.monotonic() < give_up
            pids |= self.ask(2, tries)
        return pids

    def ask_others(self, before):
        """
        Make requests while workers are replaced, until none of *before*
        answers and two others do.
        """
        assert runner.wait_until(
            lambda: not self.ask(4, INSISTENT) & before, 60
        )
        self.ask_all(20, tries=INSISTENT)

    def harm(self, path):
        """
        Make a request that the worker does not survive; return its tag.
        """
        number = next(self.numbers)
        self.asked += 1
        with contextlib.suppress(http.client.HTTPException, OSError):
            self.get(number, path)
        return f"r-{number}"

    def notes(self, **fields):
        """
        Return what was noted with these values.
        """
        notes = map(json.loads, self._notes.read_text().splitlines())
        return [
            note
            for note in notes
            if all(note.get(name) == value for name, value in fields.items())
        ]

    def send(self, number):
        """
        Signal the master.
        """
        os.kill(self.program.pid, number)

    def stop(self, number=signal.SIGTERM, deadline=60):
        """
        Stop the server; wait until all its processes have ended.
        """
        self.send(number)
        return self.program.wait(deadline)
