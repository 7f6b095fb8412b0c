# SPDX-License-Identifier: MIT
"""
What is imported, and when: little by `import ringamp`, the rest by the first
`init`, nothing afterwards and nothing in a child.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import ringamp

HEAVY = ["asyncio", "importlib.metadata", "urllib3", "http.client", "ssl"]
"""Each takes about as long as all of this package."""

LOG = """
def work(client):
    event = {"event_type": "t", "user_id": "somebody"}
    receipts = [
        client.log_event(event),
        client.log_event(ringamp.Event("t", user_id="somebody", price=1.5)),
        client.log_event({**event, "event_properties": {"of": {1, 2}}}),
        client.log_event({**event, "event_properties": {"of": object}}),
        client.identify("somebody", None, ringamp.Identify().set("a", 1)),
        client.revenue(ringamp.Revenue(price=1), user_id="somebody"),
    ]
    client.flush().result(20)
    [receipt.result(20) for receipt in receipts]
    client.stats()
"""

PREFACE = (
    """
import json, os, sys
import ringamp
from ringamp.collector import Collector
server = Collector().__enter__()
"""
    + LOG
)

OPTIONS = {
    "default": {},
    "gzip": {"compression": "gzip"},
    "uploads": {"concurrent_uploads": 4},
    "spool": {"spool_dir": True},
}


def told(program, *arguments):
    """
    Run *program* and return what it printed as JSON.
    """
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def options_of(name, tmp_path):
    """
    Return the options of this name, as JSON.
    """
    options = dict(OPTIONS[name])
    if "spool_dir" in options:
        options["spool_dir"] = str(tmp_path / "spool")
    return json.dumps(options)


def test_import_brings_nothing_heavy():
    """
    Programs that only import the package, or log nothing, do not wait.
    """
    loaded = told(
        "import json, sys; before = {*sys.modules}; import ringamp;"
        "print(json.dumps(sorted({*sys.modules} - before)))"
    )

    assert "ringamp" in loaded
    assert not {*HEAVY} & {*loaded}
    assert "ringamp.session" not in loaded


def test_every_public_name_is_there_all_the_same():
    """
    What is imported later is named by `dir`, found, and found again.
    """
    for name in ringamp.__all__:
        assert name in dir(ringamp)
        assert getattr(ringamp, name) is getattr(ringamp, name)
    with pytest.raises(AttributeError, match="no attribute 'OrderlyRetry'"):
        ringamp.OrderlyRetry  # noqa: B018


@pytest.mark.process
@pytest.mark.parametrize("name", OPTIONS)
def test_nothing_is_imported_after_init(name, tmp_path):
    """
    Not at the first event, not at the first request, not for odd values.
    """
    late = told(
        PREFACE
        + """
client = ringamp.init("KEY", server_url=server.url, **json.loads(sys.argv[1]))
before = {*sys.modules}
work(client)
print(json.dumps(sorted({*sys.modules} - before)))
""",
        options_of(name, tmp_path),
    )

    assert late == []


@pytest.mark.process
@pytest.mark.parametrize(
    ("name", "when"),
    [
        *((name, "before") for name in OPTIONS),
        # The option gzip looks for the extra `fast`, where `init` is called.
        *((name, "after") for name in OPTIONS if name != "gzip"),
    ],
)
def test_nothing_is_imported_in_a_child(name, when, tmp_path):
    """
    Whether `init` was called before the fork or after it: a child may have
    inherited a lock of the import system that nobody gives back.
    """
    late = told(
        PREFACE
        + """
options = json.loads(sys.argv[1])
if sys.argv[2] == "before":
    client = ringamp.init("KEY", server_url=server.url, **options)
read, write = os.pipe()
if not os.fork():
    before = {*sys.modules}
    if sys.argv[2] == "after":
        client = ringamp.init("KEY", server_url=server.url, **options)
    work(client)
    os.write(write, json.dumps(sorted({*sys.modules} - before)).encode())
    os._exit(0)
os.wait()
print(os.read(read, 65536).decode())
""",
        options_of(name, tmp_path),
        when,
    )

    assert late == []
