# SPDX-License-Identifier: MIT
"""
The examples around the relay: the application's workers, the unit, the pod.
What they start is started here as they say it, but for the places.
"""

from __future__ import annotations

import configparser
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import yaml

from ringamp.collector import Collector, Settings

pytestmark = pytest.mark.process

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
UNIT = EXAMPLES / "ringamp-relay.service"
KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def collector():
    """
    A service that knows the key.
    """
    settings = Settings(throttle=False, api_keys=frozenset({KEY}))
    with Collector(settings=settings) as made:
        yield made


@pytest.fixture
def places(collector, tmp_path):
    """
    The environment that the examples' programs run in.
    """
    (tmp_path / "api-key").write_text(f"{KEY}\n")
    (tmp_path / "api-key").chmod(0o600)
    return {
        **os.environ,
        "CREDENTIALS_DIRECTORY": str(tmp_path),
        "RINGAMP_URL": collector.url,
        "RINGAMP_SPOOL": str(tmp_path / "spool"),
    }


def unit():
    """
    The unit's sections.
    """
    read = configparser.ConfigParser(interpolation=None)
    read.optionxform = str
    read.read_string(UNIT.read_text())
    return read


def pod():
    """
    What the deployment says of its pods.
    """
    text = (EXAMPLES / "kubernetes-sidecar.yaml").read_text()
    return yaml.safe_load(text)["spec"]["template"]["spec"]


def start(arguments, env, more=()):
    """
    Start `ringamp` with an example's arguments.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "ringamp", *arguments, *more],
        env=env,
        stdout=subprocess.PIPE,
        text=True,
    )


def ask(site, count):
    """
    Make requests of the application.
    """
    for _ in range(count):
        with urllib.request.urlopen(f"{site}/shop", timeout=60) as answer:
            assert answer.read().startswith(b"worker ")


@pytest.fixture
def site(places):
    """
    The application, served by gunicorn: its URL and its process.
    """
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "--workers", "2"),
            *("--preload", "--config", os.devnull),
            *("--bind", "127.0.0.1:0", "relay_app:app"),
        ],
        cwd=EXAMPLES,
        env=places,
        stderr=subprocess.PIPE,
        text=True,
    )
    url = ""
    for line in server.stderr:
        if "Listening at: " in line:
            url = line.split("Listening at: ")[1].split()[0]
            break
    yield url, server
    # Not a kill: its workers would outlive it for a while.
    server.terminate()
    server.communicate()


def test_the_units_relay_sends_what_the_workers_log(
    site, places, collector, tmp_path
):
    """
    The unit's command line, with the key in the credentials' directory, is a
    relay for the application; SIGTERM, which systemd sends, ends it with 0.
    """
    url, _ = site
    command = unit()["Service"]["ExecStart"]
    _, *arguments = shlex.split(
        command.replace("/run/ringamp", places["RINGAMP_SPOOL"]).replace(
            "${CREDENTIALS_DIRECTORY}", str(tmp_path)
        )
    )
    ask(url, 20)
    with start(arguments, places, ["--server-url", collector.url]) as process:
        is_sent = collector.ledger.wait_for(events=20)
        process.send_signal(signal.SIGTERM)
        process.wait(30)

    assert is_sent
    assert process.returncode == 0
    assert collector.ledger.summary().accepted == 20


def test_the_unit_is_what_it_says():
    """
    It has the workers' user and no other, keeps the spool when the relay is
    started anew, and has no key on its command line.
    """
    service = unit()["Service"]

    assert service["User"] == "www-data"
    assert "DynamicUser" not in service
    assert service["RuntimeDirectoryMode"] == "0700"
    assert service["RuntimeDirectoryPreserve"] == "yes"
    assert "--api-key " not in service["ExecStart"]


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not here"
)
def test_systemd_takes_the_unit(tmp_path):
    """
    It finds nothing wrong with it, but for the program's place.
    """
    copy = tmp_path / UNIT.name
    copy.write_text(
        UNIT.read_text().replace("/opt/shop/bin/ringamp", sys.executable)
    )

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", copy],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    assert UNIT.name not in done.stderr, done.stderr


def test_the_pods_relay_finishes_what_the_workers_left(
    site, places, collector
):
    """
    The sidecar is told to stop when the workers have ended, and sends what
    they have left.
    """
    url, server = site
    (relay,) = pod()["initContainers"]
    arguments = [
        argument.replace("/spool/ringamp", places["RINGAMP_SPOOL"])
        for argument in relay["args"]
    ]
    env = {**places, "RINGAMP_API_KEY": KEY}
    with start(arguments, env, ["--server-url", collector.url]) as process:
        assert "living rings" in process.stdout.readline()
        ask(url, 30)
        server.send_signal(signal.SIGTERM)
        server.wait(30)
        process.send_signal(signal.SIGTERM)
        process.wait(30)

    assert process.returncode == 0
    assert collector.ledger.summary().accepted == 30


def test_the_pod_is_what_it_says():
    """
    Both containers see one volume, as one user, and both get the key; the
    relay outlives the workers, and the pod waits for both.
    """
    spec = pod()
    (relay,), (web,) = spec["initContainers"], spec["containers"]
    graceful = next(
        int(argument.partition("=")[2])
        for argument in web["args"]
        if argument.startswith("--graceful-timeout")
    )
    drain = next(
        int(argument.partition("=")[2])
        for argument in relay["args"]
        if argument.startswith("--drain-seconds")
    )
    sleep = int(web["lifecycle"]["preStop"]["exec"]["command"][1])

    assert relay["volumeMounts"] == web["volumeMounts"]
    assert spec["securityContext"]["runAsUser"] > 0
    assert not {"runAsUser"} & {*relay["securityContext"]}
    assert relay["restartPolicy"] == "Always"
    assert spec["terminationGracePeriodSeconds"] > graceful + drain + sleep
    assert spec["volumes"][0]["emptyDir"]["medium"] == "Memory"
    secret = {"secretKeyRef": {"name": "ringamp", "key": "api-key"}}
    for container in (relay, web):
        keys = [
            one["valueFrom"]
            for one in container["env"]
            if one["name"] == "RINGAMP_API_KEY"
        ]
        assert keys == [secret]


def test_the_app_waits_for_no_relay(site, collector, places):
    """
    Without one it serves, sends nothing, and keeps what it logged.
    """
    url, server = site
    ask(url, 10)
    time.sleep(0.3)
    server.send_signal(signal.SIGTERM)
    server.wait(30)

    assert collector.ledger.summary().requests == 0
    assert list(Path(places["RINGAMP_SPOOL"]).glob("*/rings/*.ring"))
