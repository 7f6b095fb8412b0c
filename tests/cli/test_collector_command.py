# SPDX-License-Identifier: MIT
"""
Tests of `ringamp collector` and of what the command line says without extras.
"""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

from ringamp.cli import main as command_line

pytestmark = pytest.mark.process

WITHOUT = """
import sys
sys.modules[{module!r}] = None
from ringamp.cli.main import main
sys.argv = ["ringamp", "collector", "--port", "0"]
main()
"""


def run(*arguments):
    """
    Run the command line to its end.
    """
    return subprocess.run(
        [sys.executable, "-m", "ringamp", *arguments],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def start(*arguments, **more):
    """
    Start `ringamp collector` at a free port.
    """
    command = [sys.executable, "-m", "ringamp", "collector", "--port", "0"]
    return subprocess.Popen([*command, *arguments], **more)


def post(url, key="KEY"):
    """
    Post one event; return the answer.
    """
    event = {"event_type": "x", "user_id": "alice"}
    upload = {"api_key": key, "events": [event]}
    body = json.dumps(upload, separators=(",", ":")).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, body, headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_tells_where_it_listens_and_what_came(number):
    """
    The URLs come first; the counts come at the end, when it is stopped.
    """
    with start(stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().split()[-1]
        said = post(url)
        process.send_signal(number)
        rest = process.stdout.read()

    assert url.endswith("/2/httpapi")
    assert said["events_ingested"] == 1
    assert "1 requests  1 accepted  0 duplicates  0 rejected" in rest
    assert process.returncode == 0


def test_keys_are_enforced():
    """
    With keys given, another one is refused.
    """
    with start(
        "--api-key", "GOOD", "--api-key", "TOO", stdout=subprocess.PIPE
    ) as process:
        url = process.stdout.readline().decode().split()[-1]
        taken = post(url, "TOO")["code"]
        with pytest.raises(urllib.error.HTTPError) as caught:
            post(url, "BAD")
        caught.value.close()
        process.terminate()
        process.stdout.read()

    assert (taken, caught.value.code) == (200, 400)


def test_counting_counts():
    """
    The counting mode is an option.
    """
    with start("--counting", "--lenient", stdout=subprocess.PIPE) as process:
        url = process.stdout.readline().decode().split()[-1]
        said = post(url.replace("2/httpapi", "batch"))
        process.terminate()
        process.stdout.read()

    assert said["events_ingested"] == 1


def test_a_terminal_shows_the_counts_live():
    """
    On a terminal the line of counts follows what comes.
    """
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with start(stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        posted = False
        while b"1 accepted" not in shown:
            shown += os.read(ours, 4096)
            url = re.search(rb"http://\S+/2/httpapi", shown)
            if url and not posted:
                post(url[0].decode())
                posted = True
        process.send_signal(signal.SIGINT)
        try:
            while os.read(ours, 4096):
                continue
        except OSError:
            os.close(ours)

    assert process.returncode == 0


def test_a_port_in_use_is_an_exit_code():
    """
    No traceback for a port that is taken.
    """
    with start(stdout=subprocess.PIPE, text=True) as process:
        port = process.stdout.readline().split(":")[-1].split("/")[0]
        second = run("collector", "--port", port)
        process.terminate()
        process.stdout.read()

    assert second.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in second.stdout
    assert "Traceback" not in second.stderr


def test_help_lists_the_commands():
    """
    Every command of the table is in the help.
    """
    said = run("--help")

    assert said.returncode == 0
    for name in command_line.COMMANDS:
        assert name in said.stdout


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("typer", "cli"),
        ("rich", "cli"),
        ("starlette", "collector"),
        ("uvicorn", "collector"),
    ],
)
def test_a_missing_extra_is_named(module, extra):
    """
    What is not installed is named with the extra that brings it.
    """
    said = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(module=module)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    assert said.returncode == 1
    assert f"pip install 'ringamp[{extra}]'" in said.stderr
    assert "Traceback" not in said.stderr
