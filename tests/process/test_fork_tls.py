# SPDX-License-Identifier: MIT
"""
Forks in the middle of a TLS exchange: the connection stays the parent's.

The server checks for it by itself: a record that the child wrote on the
parent's connection, or a goodbye, has a wrong MAC or ends the session.
"""

from __future__ import annotations

import pytest
import runner
from slowness import slow_but

pytest.importorskip("trustme")
from tls_service import services

pytestmark = pytest.mark.process


@pytest.fixture
def service(tmp_path):
    """
    Start a service whose certificate the program trusts.
    """
    with services(tmp_path / "ca.pem") as start:
        yield start


SOURCE = """
import sys, time, workload
client = workload.begin(request_timeout_millis=120_000,
                        upload_interval_in_sec=60)
# More than the kernel takes while nobody reads.
for number in range(12):
    big = workload.event(f"p-{number}")
    big["event_properties"]["filling"] = "x" * 900_000
    receipt = client.log_event(big)
client.flush()
sys.stdin.readline()
thread = client._session._flusher._thread
give_up = time.monotonic() + 30
inside = ""
while inside not in ("send", "read") and time.monotonic() < give_up:
    inside = sys._current_frames()[thread].f_code.co_name

def child(name, again):
    workload.log(client, name, 5)
    if again:
        assert workload.reap(workload.fork(child, "g", False)) == 0
    client.shutdown()
    # As a child does that lives on: what it inherited is collected.
    import gc
    gc.collect()

codes = [workload.reap(workload.fork(child, f"c{n}", n)) for n in range(2)]
workload.tell(who="forked", codes=codes, inside=inside,
              early=receipt.response is not None)
first = receipt.result(30)
workload.log(client, "q", 5)
client.flush().result(30)
stats = client.stats()
workload.tell(who="end", first=first.status, requests=stats.requests,
              retries=stats.retries)
"""


@pytest.mark.parametrize("hold", slow_but(["read"], ["read", "answer"]))
def test_scenario_11_a_fork_inside_a_tls_exchange(service, tmp_path, hold):
    """
    The flusher is inside a write, or inside a read, when the process forks:
    children use connections of their own, and the parent's exchange ends
    well, as does its next one on the same connection.
    """
    server = service(hold)
    program = runner.start(
        SOURCE,
        url=f"https://localhost:{server.port}/batch",
        SSL_CERT_FILE=str(tmp_path / "ca.pem"),
        stdin=True,
    )
    try:
        assert server.reached.wait(120)
        program.say("fork")
        forked = program.hear()
        server.go_on.set()
    finally:
        run = program.wait(120)
    server.stop()

    assert (forked["codes"], forked["early"]) == ([0, 0], False)
    assert forked["inside"] == {"read": "send", "answer": "read"}[hold]
    assert (run.code, run.err) == (0, "")
    assert run.the(who="end") == {
        "who": "end",
        "first": "success",
        "requests": 2,
        "retries": 0,
    }
    names = {name: [f"{name}-{n}" for n in range(5)] for name in "cgq"}
    expected = [
        [*(f"p-{n}" for n in range(12)), *names["q"]],
        [f"c0-{n}" for n in range(5)],
        [f"c1-{n}" for n in range(5)],
        names["g"],
    ]
    assert sorted(server.connections) == sorted(expected)
    assert server.problems == []
