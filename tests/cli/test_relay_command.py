# SPDX-License-Identifier: MIT
"""
Tests of `ringamp relay`: its key, its words, its exit codes.
"""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from slowness import slow_but

from ringamp.client import Client
from ringamp.collector import Collector, Settings

pytestmark = pytest.mark.process

KEY = "0123456789abcdef0123456789abcdef"
COMMAND = [sys.executable, "-m", "ringamp", "relay"]


def environment(**more):
    """
    The environment, without a key of its own.
    """
    kept = {k: v for k, v in os.environ.items() if k != "RINGAMP_API_KEY"}
    return {**kept, "COLUMNS": "200", **more}


def run(*arguments, **more):
    """
    Run the command to its end.
    """
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env=environment(**more),
    )


@pytest.fixture
def collector():
    """
    A service that knows one key.
    """
    settings = Settings(throttle=False, api_keys=frozenset({KEY}))
    with Collector(settings=settings) as made:
        yield made


@pytest.fixture
def given(collector, tmp_path):
    """
    The options of a relay, and a ring with three events that waits for it.
    """
    spool = tmp_path / "spool"
    client = Client("cli").init(
        KEY, server_url=collector.url, spool_dir=spool, delivery="relay"
    )
    for number in range(3):
        client.log_event(
            {"event_type": f"e{number}", "user_id": "datamonster"}
        )
    yield ["--spool-dir", str(spool), "--server-url", collector.url]
    client.shutdown(0)


@pytest.mark.parametrize("place", ["file", "environment", "argument"])
def test_the_key_has_three_places(given, collector, tmp_path, place):
    """
    A file is asked first, then the environment, then the command line; what
    stands in the places behind is not even looked at.
    """
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    wrong = "a-key-of-another-project"
    arguments = {
        "file": ["--api-key-file", file, "--api-key", wrong],
        "environment": ["--api-key", wrong],
        "argument": ["--api-key", KEY],
    }[place]
    variable = {"file": wrong, "environment": KEY, "argument": ""}[place]

    done = run(*given, "--once", *arguments, RINGAMP_API_KEY=variable)

    assert done.returncode == 0, done.stderr
    assert "3 events sent" in done.stdout
    assert collector.ledger.summary().accepted == 3
    assert KEY not in done.stdout + done.stderr
    assert wrong not in done.stdout + done.stderr


BAD = {
    "no key": ([], {}, "no API key"),
    "empty file": (["--api-key-file", "{tmp}/empty"], {}, "API key: an empty"),
    "no file": (["--api-key-file", "{tmp}/none"], {}, "No such file"),
    "binary file": (["--api-key-file", "{tmp}/binary"], {}, "is no text"),
    "bad key": ([], {"RINGAMP_API_KEY": f"{KEY}\tx"}, "control character"),
    "bad url": (
        ["--api-key", KEY, "--server-url", "ftp://x"],
        {},
        "option server_url",
    ),
    "bad zone": (
        ["--api-key", KEY, "--server-zone", "MARS"],
        {},
        "option server_zone",
    ),
    "bad retries": (
        ["--api-key", KEY, "--retry-timeouts", "1,x"],
        {},
        "--retry-timeouts 1,x: allowed is numbers",
    ),
    "bad compression": (
        ["--api-key", KEY, "--compression", "zstd"],
        {},
        "option compression: 'zstd' given",
    ),
    "no directory": (
        ["--api-key", KEY, "--spool-dir", "/proc/none"],
        {},
        "cannot use the spool directory",
    ),
    "open directory": (
        ["--api-key", KEY, "--spool-dir", "{tmp}/open"],
        {},
        "cannot use the spool directory",
    ),
}


@pytest.mark.parametrize("name", slow_but(["no key", "bad key"], BAD))
def test_a_wrong_command_line_is_told(tmp_path, name):
    """
    Exit code 2, one line that says what is wrong, no traceback, no key.
    """
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xfd")
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    arguments, variables, words = BAD[name]

    done = run(
        *("--spool-dir", tmp_path / "spool"),
        *(argument.format(tmp=tmp_path) for argument in arguments),
        **variables,
    )

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("ringamp relay: ")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert KEY not in done.stderr


def test_the_directory_must_be_given():
    """
    There is no default: which spool it is, is the workers' choice.
    """
    done = run(RINGAMP_API_KEY=KEY)

    assert done.returncode == 2
    assert "--spool-dir" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["--compression", "gzip"]])
def test_requests_are_packed_where_asked(given, collector, arguments):
    """
    Whatever the workers were told.
    """
    client = Client("more").init(
        KEY,
        server_url=collector.url,
        spool_dir=given[1],
        delivery="relay",
    )
    for number in range(200):
        client.log_event(
            {"event_type": f"e{number}", "user_id": "datamonster"}
        )

    done = run(*given, "--once", *arguments, RINGAMP_API_KEY=KEY)
    client.shutdown(0)

    assert done.returncode == 0, done.stderr
    summary = collector.ledger.summary()
    assert summary.accepted == 203
    assert (summary.bytes < 203 * 60) is bool(arguments)


def test_once_tells_with_1_what_could_not_be_sent(given, collector):
    """
    A service that is out: the log says why, the exit code that something is
    left.
    """
    collector.stop()

    done = run(
        *given,
        *("--once", "--retry-timeouts", "10, 20"),
        RINGAMP_API_KEY=KEY,
    )
    collector.start()

    assert done.returncode == 1
    assert "0 events sent" in done.stdout
    assert "connection refused" in done.stderr
    assert KEY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_well(given, collector, number):
    """
    Exit code 0; where stdout is no terminal there is a line at the start and
    one at the end.
    """
    with subprocess.Popen(
        [*COMMAND, *given],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(RINGAMP_API_KEY=KEY),
    ) as process:
        first = process.stdout.readline()
        assert collector.ledger.wait_for(events=3)
        process.send_signal(number)
        rest = process.stdout.read()
        errors = process.stderr.read()

    assert process.returncode == 0
    assert "1 living rings" in first
    assert len(rest.splitlines()) == 1
    assert "3 events sent" in rest
    assert errors == ""


def test_a_terminal_shows_it_live(given, collector):
    """
    The line follows what is sent, and says when the service is out.
    """
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *given],
        stdout=theirs,
        stderr=theirs,
        env=environment(RINGAMP_API_KEY=KEY, TERM="xterm"),
    ) as process:
        os.close(theirs)
        shown = b""
        deadline = time.monotonic() + 100
        while b"3 events sent" not in shown:
            assert time.monotonic() < deadline, shown
            shown += os.read(ours, 4096)
        process.terminate()
        try:
            while more := os.read(ours, 4096):
                shown += more
        except OSError:
            os.close(ours)

    assert process.returncode == 0
    words = re.sub(rb"\x1b\[[0-9?]*[a-zA-Z]", b"", shown)
    assert b"1 living rings" in words
    assert b"backlog 0 bytes" in words
    assert KEY.encode() not in shown


def test_the_key_is_in_no_traceback(given, tmp_path):
    """
    A defect of ours may end in a traceback; it shows no key.
    """
    (tmp_path / "sitecustomize.py").write_text(
        "import ringamp.relay.agent as agent\n"
        "def fail(self, **_):\n"
        "    key = self._makers._envelope.head\n"
        "    raise RuntimeError('a defect')\n"
        "agent.RelayAgent.run = fail\n"
    )
    path = os.pathsep.join(
        filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])
    )

    done = run(*given, RINGAMP_API_KEY=KEY, PYTHONPATH=path)

    assert done.returncode == 1
    assert "a defect" in done.stderr
    assert KEY not in done.stdout + done.stderr


def test_auto_is_a_directory_of_this_user(tmp_path):
    """
    As in the workers' option: below XDG_RUNTIME_DIR where there is one.
    """
    done = run(
        *("--spool-dir", "auto", "--once"),
        RINGAMP_API_KEY=KEY,
        XDG_RUNTIME_DIR=str(tmp_path),
    )

    assert done.returncode == 0, done.stderr
    (project,) = Path(tmp_path / "ringamp").iterdir()
    assert (project / "rings").is_dir()


def test_help_warns_of_the_command_line():
    """
    It says that others can read an argument.
    """
    said = " ".join(re.findall(r"[^\s│]+", run("--help").stdout))

    assert "Every user of this machine can read a command line" in said
