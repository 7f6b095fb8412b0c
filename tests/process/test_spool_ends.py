# SPDX-License-Identifier: MIT
"""
The ways a process with a spool ends, and what its successor finds.
"""

from __future__ import annotations

import signal

import pytest
import runner
from slowness import slow_but

from ringamp.collector import Fault

pytestmark = pytest.mark.process

IMPORTS = """
        import ctypes, os, pathlib, resource, shutil, signal, sys, threading
        import time, workload

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        directory = os.environ["SPOOL"]
"""

ENDS = {
    "os._exit": ("os._exit(7)", 7),
    "SIGTERM without a handler": (
        "os.kill(os.getpid(), signal.SIGTERM)",
        -signal.SIGTERM,
    ),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    "a segfault": ("ctypes.string_at(0)", -signal.SIGSEGV),
    "abort": ("os.abort()", -signal.SIGABRT),
    "another program": ("os.execv('/bin/true', ['true'])", 0),
    "a child that goes on": (
        "workload.fork(time.sleep, 8); os.kill(os.getpid(), signal.SIGKILL)",
        -signal.SIGKILL,
    ),
}

SUCCESSOR = """
        told = []
        client = workload.begin(
            spool_dir=directory,
            on_delivery=lambda events, response: told.append(
                [len(events), str(response.status)]),
        )
        workload.log(client, "own", 1)
        give_up = time.monotonic() + 30
        while (client.stats().recovered_delivered < int(sys.argv[1])
               and time.monotonic() < give_up):
            time.sleep(0.02)
        client.shutdown()
        stats = client.stats()
        workload.tell(
            told=sum(count for count, status in told if status == "success"),
            adopted=stats.adopted, recovered=stats.recovered,
            delivered=stats.recovered_delivered,
            files=[path.name for path in pathlib.Path(directory).rglob("*")
                   if path.is_file()],
        )
"""


@pytest.fixture
def spool(tmp_path):
    """
    A directory for a spool.
    """
    path = tmp_path / "spool"
    path.mkdir(mode=0o700)
    return path


def succeed(collector, spool, count):
    """
    Run a process that finds what is there; return what it told.
    """
    run = runner.run(
        IMPORTS + SUCCESSOR, count, url=collector.url, SPOOL=str(spool)
    )
    assert (run.code, run.err) == (0, "")
    (told,) = run.told
    return told


@pytest.mark.parametrize("end", slow_but(["a child that goes on"], ENDS))
def test_the_successor_sends_what_a_dead_process_left(collector, spool, end):
    """
    Whatever ends it, and whatever children it leaves behind: all that was
    accepted is sent by the next process, once, and the file is removed. The
    callback of who sends it hears of it.
    """
    line, code = ENDS[end]
    program = runner.start(
        f"""
        {IMPORTS}
        client = workload.begin(spool_dir=directory, upload_interval_in_sec=60)
        workload.log(client, "sent", 30)
        client.flush().result(30)
        workload.log(client, "left", 50)
        workload.tell(ready=True)
        {line}
        """,
        url=collector.url,
        SPOOL=str(spool),
    )
    try:
        assert program.hear() == {"ready": True}
        assert program.process.wait(30) == code
        found = succeed(collector, spool, 50)
    finally:
        program.end()

    assert (found["adopted"], found["recovered"]) == (1, 50)
    assert (found["delivered"], found["told"]) == (50, 51)
    assert found["files"] == []
    assert collector.took_once(("sent", 30), ("left", 50), ("own", 1))


def test_what_an_exit_has_no_time_for_stays(collector, spool):
    """
    A service that does not answer holds up the exit for as long as it may.
    Then nothing is dropped: receipts say that the events are queued, and the
    next process sends them.
    """
    collector.add_fault(Fault(delay=10, status=500), times=1)
    run = runner.run(
        f"""
        {IMPORTS}
        import atexit

        def last():
            stats = client.stats()
            workload.tell(
                seconds=time.monotonic() - begin, pending=stats.pending,
                spooled=stats.spooled, dropped=stats.dropped,
                said=sorted({{str(r.result(0).status) for r in receipts}}))

        atexit.register(last)
        client = workload.begin(
            spool_dir=directory, shutdown_timeout_millis=400)
        receipts = workload.log(client, "left", 50)
        workload.wait_asked()
        receipts += workload.log(client, "later", 50)
        begin = time.monotonic()
        """,
        url=collector.url,
        SPOOL=str(spool),
    )
    found = succeed(collector, spool, 100)

    (last,) = run.told
    assert (run.code, run.err) == (0, "")
    assert 0.4 <= last["seconds"] < 5
    assert (last["pending"], last["spooled"], last["dropped"]) == (100, 100, 0)
    assert last["said"] == ["queued"]
    assert found["files"] == []
    assert collector.took_once(("left", 50), ("later", 50), ("own", 1))


def test_without_a_place_for_it_events_are_sent_from_memory(collector, spool):
    """
    The application hears of it by a warning, and loses nothing while it
    lives.
    """
    spool.chmod(0o777)
    run = runner.run(
        f"""
        {IMPORTS}
        import warnings

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            client = workload.begin(spool_dir=directory)
        workload.log(client, "p", 50)
        client.shutdown()
        workload.tell(
            kind=[one.category.__name__ for one in caught],
            words=str(caught[0].message), stats=workload.counts(client))
        """,
        url=collector.url,
        SPOOL=str(spool),
    )

    assert (run.code, run.err) == (0, "")
    (told,) = run.told
    assert told["kind"] == ["RuntimeWarning"]
    assert "events are kept in memory alone" in told["words"]
    assert told["stats"]["delivered"] == 50
    assert list(spool.iterdir()) == []
    assert collector.took_once(("p", 50))


def test_a_spool_that_is_removed_under_a_process(collector, spool):
    """
    It goes on: what is logged before and after arrives, and later looks for
    what others left do no harm.
    """
    run = runner.run(
        f"""
        {IMPORTS}
        client = workload.begin(spool_dir=directory, upload_interval_in_sec=60)
        workload.log(client, "before", 50)
        shutil.rmtree(directory)
        workload.log(client, "after", 50)
        client.flush().result(30)
        time.sleep(3.5)
        workload.log(client, "later", 50)
        client.shutdown()
        workload.tell(stats=workload.counts(client))
        """,
        url=collector.url,
        SPOOL=str(spool),
    )

    assert (run.code, run.err) == (0, "")
    (told,) = run.told
    assert told["stats"]["delivered"] == 150
    assert collector.took_once(("before", 50), ("after", 50), ("later", 50))


def test_events_of_an_old_key_wait_for_the_old_key(collector, spool):
    """
    Who has another key neither sends nor touches what was logged under the
    old one.
    """
    run = runner.run(
        f"""
        {IMPORTS}
        client = workload.begin(spool_dir=directory, upload_interval_in_sec=60)
        workload.log(client, "left", 50)
        os._exit(0)
        """,
        url=collector.url,
        SPOOL=str(spool),
    )
    other = runner.run(
        f"""
        {IMPORTS}
        workload.KEY = workload.KEY[::-1]
        client = workload.begin(spool_dir=directory)
        workload.log(client, "own", 1)
        time.sleep(0.5)
        client.shutdown()
        workload.tell(adopted=client.stats().adopted,
                      quarantined=client.stats().quarantined)
        """,
        url=collector.url,
        SPOOL=str(spool),
    )

    assert (run.code, other.code, other.err) == (0, 0, "")
    assert other.told == [{"adopted": 0, "quarantined": 0}]
    assert collector.took_once(("own", 1))
    assert succeed(collector, spool, 50)["delivered"] == 50
