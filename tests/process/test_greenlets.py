# SPDX-License-Identifier: MIT
"""
gevent and eventlet, which make greenlets of threads: the flusher is one, and
must neither stop the others while it waits nor go on in a forked child.

They are put in place before ringamp is imported, or after `init`, as gunicorn
does in the workers of a master that has loaded the application.
"""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest
import runner
from slowness import slow_but

from ringamp.collector import Fault

pytestmark = pytest.mark.process

PATCHES = {
    "gevent": "import gevent.monkey; gevent.monkey.patch_all()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
}

WHEN = ["before", "after"]

QUIET = ("-W", "ignore")
"""Both warn: one of being late, the other of being old."""

START = """
{before}
import json, os, sys, threading, time, workload
client = workload.begin(**json.loads(sys.argv[1]))
{after}
gaps = []

def tick():
    last = time.monotonic()
    while True:
        time.sleep(0.01)
        now = time.monotonic()
        gaps.append(now - last)
        last = now
"""


def source(library, when, rest):
    """
    Make a program in which *library* is in place.
    """
    places = {"before": "", "after": ""} | {when: PATCHES[library]}
    return START.format(**places) + rest


def needs(library):
    """
    Skip the test where *library* is not installed. It is not imported here:
    eventlet warns at every fork from then on.
    """
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")


BUSY = """
receipts = workload.log(client, "first", 5)
threading.Thread(target=tick, daemon=True).start()
status = receipts[-1].result(30).status
time.sleep(0.1)
longest = max(gaps)

def busy(name):
    end = time.monotonic() + 0.3
    count = 0
    while time.monotonic() < end:
        workload.log(client, name, 1, first=count)
        count += 1
        sum(range(1000))
        if count % 50 == 0:
            time.sleep(0)
    logged[name] = count

logged = {}
threads = [threading.Thread(target=busy, args=(f"b{n}",)) for n in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
client.flush().result(30)
workload.log(client, "last", 5)
workload.tell(status=status, longest=longest, logged=logged,
              stats=workload.counts(client))
"""


@pytest.mark.parametrize("when", slow_but(["before"], WHEN))
@pytest.mark.parametrize("library", slow_but(["gevent"], PATCHES))
def test_scenario_21_greenlets_that_are_busy(collector, spool, library, when):
    """
    A slow answer stops no greenlet, and greenlets that keep the processor
    keep no event: all arrives after the load, and at exit.
    """
    needs(library)
    collector.add_fault(Fault(delay=2.0))
    run = runner.run(
        source(library, when, BUSY),
        json.dumps(spool.options(buffer_bytes=1 << 24)),
        url=collector.url,
        flags=QUIET,
    )

    assert (run.code, run.hung, run.err) == (0, False, "")
    (told,) = run.told
    assert told["status"] == "success"
    assert told["longest"] < 1
    stats = told["stats"]
    assert stats["delivered"] == stats["logged"] - 5
    assert min(told["logged"].values()) > 50
    assert collector.took_once(
        ("first", 5), ("last", 5), *told["logged"].items()
    )
    assert spool.files() == []


END = """
import atexit
workload.log(client, "p", 50)
atexit.register(workload.log, client, "q", 5)
"""


@pytest.mark.parametrize("when", slow_but(["before"], WHEN))
@pytest.mark.parametrize("library", slow_but(["gevent"], PATCHES))
def test_scenario_20_greenlets_at_exit(collector, library, when):
    """
    The first request of the process is made at its end, where 3.12 starts no
    thread, and gevent wants one to resolve the host's name.
    """
    needs(library)
    run = runner.run(
        source(library, when, END),
        '{"upload_interval_in_sec": 60}',
        url=collector.url.replace("127.0.0.1", "localhost"),
        flags=QUIET,
    )

    assert (run.code, run.hung, run.err) == (0, False, "")
    assert collector.took_once(("p", 50), ("q", 5))


FORK = """
client.log_event(workload.event("warm-0")).result(30)
workload.log(client, "p", 5)
workload.wait_asked(2)
workload.log(client, "q", 5)
pid = os.fork()
if not pid:
    # The copy of the flusher has time to wake up, and to do harm.
    time.sleep(0.8)
    workload.log(client, "c", 5)
    client.shutdown()
    workload.tell(who="child", stats=workload.counts(client))
    os._exit(0)
client.flush().result(30)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
stats = client.stats()
workload.tell(who="parent", code=code, requests=stats.requests,
              retries=stats.retries, stats=workload.counts(client))
"""


@pytest.mark.parametrize("has_spool", [False, True])
def test_scenario_21_a_fork_copies_greenlets(collector, spool, has_spool):
    """
    The flusher waits for an answer when the process forks. Its copy in the
    child leaves the answer to the parent, and sends nothing.
    """
    needs("gevent")
    options = spool.options() if has_spool else {}
    collector.add_fault(Fault())
    collector.add_fault(Fault(delay=2.0))
    run = runner.run(
        source("gevent", "before", FORK),
        json.dumps(options),
        url=collector.url,
        flags=QUIET,
    )

    assert (run.code, run.hung, run.err) == (0, False, "")
    child, parent = run.the(who="child"), run.the(who="parent")
    assert (child["stats"]["logged"], child["stats"]["delivered"]) == (5, 5)
    assert (parent["code"], parent["retries"]) == (0, 0)
    assert parent["requests"] == 3
    assert parent["stats"]["delivered"] == 11
    assert collector.took_once(("warm", 1), ("p", 5), ("q", 5), ("c", 5))
    assert collector.summary().duplicates == 0
    assert spool.files() == []


POOLS = {
    "gevent": "import gevent; execute = gevent.get_hub().threadpool.apply",
    "eventlet": "from eventlet.tpool import execute",
}

POOL = """
def log():
    # A real thread, in the midst of greenlets; the first that logs.
    workload.log(client, "t", 20)

execute(log)
begin = time.monotonic()
while workload.counts(client)["pending"] and time.monotonic() < begin + 30:
    time.sleep(0.01)
workload.log(client, "p", 5)
workload.tell(seconds=time.monotonic() - begin)
"""


@pytest.mark.parametrize("when", slow_but(["before"], WHEN))
@pytest.mark.parametrize("library", slow_but(["gevent"], PATCHES))
def test_scenario_21_threads_beside_greenlets(collector, library, when):
    """
    The first event may be logged by a thread of a pool, where no greenlet
    would ever run; greenlets log beside it.
    """
    needs(library)
    run = runner.run(
        source(library, when, POOLS[library] + POOL),
        "{}",
        url=collector.url,
        flags=QUIET,
    )

    assert (run.code, run.hung, run.err) == (0, False, "")
    assert run.told[0]["seconds"] < 20
    assert collector.took_once(("p", 5), ("t", 20))


TLS = """
workload.log(client, "p", 5)
threading.Thread(target=tick, daemon=True).start()
time.sleep(0.5)
workload.tell(ticks=len(gaps), pending=workload.counts(client)["pending"])
status = client.flush().result(30).status
workload.log(client, "q", 5)
workload.tell(status=status, last=client.flush().result(30).status)
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_scenario_21_greenlets_and_tls(tmp_path, when):
    """
    Over TLS no greenlet is stopped either, and connections are kept alive.
    """
    needs("gevent")
    pytest.importorskip("trustme")
    from tls_service import services

    with services(tmp_path / "ca.pem") as start:
        server = start("answer")
        program = runner.start(
            source("gevent", when, TLS),
            "{}",
            url=f"https://localhost:{server.port}/batch",
            flags=QUIET,
            SSL_CERT_FILE=str(tmp_path / "ca.pem"),
        )
        try:
            waiting = program.hear()
            server.go_on.set()
        finally:
            run = program.wait(60)

    assert waiting["pending"] == 5
    assert waiting["ticks"] > 5
    assert (run.code, run.hung, run.err) == (0, False, "")
    assert run.told == [{"status": "success", "last": "success"}]
    names = [f"{name}-{n}" for name in "pq" for n in range(5)]
    assert server.connections == [names]
    assert server.problems == []
