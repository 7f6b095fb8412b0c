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


def post(url, key="KEY", *, kind="application/json", host=None, **sent):
    """
    Post one *event*, or *events*; return the answer.
    """
    event = sent.get("event") or {"event_type": "x", "user_id": "alice"}
    upload = {"api_key": key, "events": sent.get("events") or [event]}
    body = json.dumps(upload, separators=(",", ":")).encode()
    headers = {"Content-Type": kind}
    if host is not None:
        headers["Host"] = host
    request = urllib.request.Request(url, body, headers)
    with urllib.request.urlopen(request, timeout=30) as response:
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


def first_url(process):
    """
    Return the URL that is printed first.
    """
    return process.stdout.readline().split()[-1]


WRONG_ARGUMENTS = {
    "a port too large": ["--port", "99999"],
    "a port below none": ["--port", "-1"],
    "a port that is none": ["--port", "http"],
    "a latency below none": ["--latency", "-1"],
    "a latency that is none": ["--latency", "nan"],
    "an endless latency": ["--latency", "inf"],
    "no host": ["--allow-host", "a/b"],
    "no origin": ["--allow-origin", "localhost"],
    "no such way": ["--short-ids", "keep"],
    "no key": ["--api-key", ""],
}


@pytest.mark.parametrize("case", WRONG_ARGUMENTS)
def test_a_wrong_argument_is_told(case):
    """
    A value that an option cannot have is an exit code of 2 and a message
    that repeats it, and no traceback.
    """
    option, value = WRONG_ARGUMENTS[case]
    said = run("collector", option, value)

    assert said.returncode == 2
    assert "Error" in said.stderr
    assert value in said.stderr or option in said.stderr or not value
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize("host", ["a..b", "256.256.256.256", "no such host"])
def test_a_host_that_cannot_be_had_is_told(host):
    """
    What is no address of this machine is an exit code of 1 and a reason.
    """
    said = run("collector", "--port", "0", "--host", host)

    assert said.returncode == 1
    assert f"cannot listen on {host}:0: " in said.stdout
    assert "Traceback" not in said.stderr


def test_help_says_what_counting_leaves_out():
    """
    The options that then do nothing are named.
    """
    environment = {**os.environ, "COLUMNS": "200", "TERM": "dumb"}
    said = subprocess.run(
        [sys.executable, "-m", "ringamp", "collector", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=environment,
    )
    told = " ".join(re.sub(r"[^\w<>./:*-]+", " ", said.stdout).split())
    about = told.partition("--counting")[2]

    for option in ("--strict", "--throttle", "--short-ids", "--api-key"):
        assert option in about
    assert "no rule of the service is checked" in about
    assert "--allow-host" in told


def test_short_ids_are_refused_or_removed():
    """
    One option decides for both APIs.
    """
    with start(
        "--short-ids", "remove", stdout=subprocess.PIPE, text=True
    ) as process:
        url = first_url(process)
        event = {"event_type": "x", "user_id": "alice", "device_id": "d"}
        said = post(url, event=event)
        process.terminate()
        rest = process.stdout.read()

    assert said["code"] == 200
    assert "warning: device_id: an id that is too short is removed" in rest


def test_lenient_takes_what_has_no_sense_for_the_service():
    """
    Neither ids nor types of content are refused.
    """
    with start("--lenient", stdout=subprocess.PIPE, text=True) as process:
        url = first_url(process)
        event = {"event_type": "x", "user_id": "u"}
        said = post(url, event=event, kind="text/plain")
        batch = post(url.replace("2/httpapi", "batch"), event=event)
        process.terminate()
        process.stdout.read()

    assert (said["code"], batch["code"]) == (200, 200)


def test_it_goes_by_the_names_it_is_given():
    """
    Another name is refused until it is allowed, and the terminal says how.
    """
    with start(
        "--allow-host", "collector", stdout=subprocess.PIPE, text=True
    ) as process:
        url = first_url(process)
        said = post(url, host="collector:80")
        with pytest.raises(urllib.error.HTTPError) as caught:
            post(url, host="evil.example")
        caught.value.close()
        process.terminate()
        rest = process.stdout.read()

    assert said["code"] == 200
    assert caught.value.code == 403
    assert "warning: " in rest
    assert "--allow-host evil.example" in rest


def test_warnings_come_to_an_end():
    """
    However many ids are too fast, only the first are told in the terminal.
    """
    with start("--lenient", stdout=subprocess.PIPE, text=True) as process:
        url = first_url(process)
        events = [
            {"event_type": "x", "user_id": f"[user]-{number % 30}"}
            for number in range(30 * 900)
        ]
        post(url, events=events)
        process.terminate()
        rest = process.stdout.read()

    assert rest.count("would answer 429") == 20
    assert "warning: [user]-0 sends more events a second" in rest
    assert "/_collector/losses" in rest


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
