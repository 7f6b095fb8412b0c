# SPDX-License-Identifier: MIT
"""
The ways a process ends, and what becomes of the events in its buffer.
"""

from __future__ import annotations

import signal

import pytest
import runner
from slowness import slow_but

from ringamp.collector import Fault

pytestmark = pytest.mark.process

BUSY = "os.kill(os.getpid(), signal.SIGTERM); time.sleep(5)"

INTERRUPT = """
        # What a shell starts in the background inherits that it is ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.kill(os.getpid(), signal.SIGINT); time.sleep(5)
"""

WAITING = """
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        other = ringamp.get_instance("other")
        other.init(workload.KEY, server_url="http://127.0.0.1:9/",
                   shutdown_timeout_millis=1000)
        other.log_event(workload.event("x")).result()
"""

LATE = """
        def wait_and_log():
            time.sleep(0.2)
            workload.log(client, "late", 5)

        threading.Thread(target=wait_and_log).start()
"""

ENDS = {
    "falls off its end": ("", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "sys.exit in a thread that the main one joins": (
        "t = threading.Thread(target=sys.exit); t.start(); t.join()",
        0,
    ),
    "an exception": ("raise KeyError('nobody catches it')", 1),
    "a handler of SIGTERM": (
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(4));" + BUSY,
        4,
    ),
    "KeyboardInterrupt": (
        INTERRUPT,
        -signal.SIGINT,
    ),
    "KeyboardInterrupt while waiting for a receipt": (
        WAITING,
        -signal.SIGINT,
    ),
    "a thread goes on that is no daemon": (
        LATE,
        0,
    ),
}

QUICK = ["falls off its end", "an exception", "a handler of SIGTERM"]

IMPORTS = """
        import atexit, os, ringamp, signal, sys, threading, time, workload
"""


@pytest.mark.parametrize("end", slow_but(QUICK, ENDS))
def test_the_end_of_a_process_sends_what_is_left(collector, end):
    """
    Nobody flushes; however the interpreter comes to its end, all that was
    logged is delivered, and stderr has nothing that is not the user's.
    """
    line, code = ENDS[end]
    run = runner.run(
        f"""
        {IMPORTS}
        client = workload.begin()
        workload.log(client, "p", 500)
        {line}
        """,
        url=collector.url,
    )

    assert (run.code, run.hung) == (code, False)
    if code in (1, -signal.SIGINT):
        last = run.err.strip().splitlines()[-1]
        assert last.startswith(("KeyError", "KeyboardInterrupt"))
        assert run.err.count("Traceback") == 1
    else:
        assert run.err == ""
    late = [("late", 5)] if "late" in line else []
    assert collector.took_once(("p", 500), *late)


def test_the_last_words_of_other_exit_handlers(collector):
    """
    A handler registered after the first event runs before ours, so what it
    logs is delivered, without a thread. One registered before that runs
    after ours: its event is dropped, counted, and its receipt says so.
    """
    run = runner.run(
        """
        import atexit

        def late():
            receipt = client.log_event(workload.event("late"))
            workload.tell(status=receipt.status, reason=receipt.reason,
                          stats=workload.counts(client))

        atexit.register(late)
        import workload
        client = workload.begin()
        workload.log(client, "p", 3)
        client.flush().result(30)
        atexit.register(workload.log, client, "early", 5)
        """,
        url=collector.url,
    )

    assert (run.code, run.err) == (0, "")
    (late,) = run.told
    assert late["status"] == "dropped"
    assert late["reason"] == "the client is shut down"
    stats = late["stats"]
    assert (stats["logged"], stats["delivered"], stats["dropped"]) == (9, 8, 1)
    assert collector.took_once(("p", 3), ("early", 5))


def test_a_handler_registered_after_init_precedes_ours(collector):
    """
    Whatever came in between (events, a fork, multiprocessing): what such a
    handler logs is delivered, in the parent and in the child.
    """
    run = runner.run(
        """
        import atexit, os, workload
        client = workload.begin()
        name = "p"
        atexit.register(lambda: workload.log(client, f"{name}last", 5))
        import multiprocessing.util
        workload.log(client, "p", 3)
        pid = os.fork()
        if not pid:
            name = "c"
            workload.log(client, "c", 3)
        else:
            workload.tell(code=workload.reap(pid))
        """,
        url=collector.url,
    )

    assert (run.code, run.err, run.told) == (0, "", [{"code": 0}])
    assert collector.took_once(("p", 3), ("c", 3), ("plast", 5), ("clast", 5))


def test_scenario_20_the_very_first_event_in_an_exit_handler(collector):
    """
    At exit 3.12 starts no thread; the first event of the process is sent all
    the same, in the thread that exits.
    """
    run = runner.run(
        """
        import atexit, workload
        client = workload.begin()
        atexit.register(workload.log, client, "p", 5)
        """,
        url=collector.url,
    )

    assert (run.code, run.hung, run.err) == (0, False, "")
    assert collector.took_once(("p", 5))


@pytest.mark.parametrize("millis", [300, 1500])
def test_exit_waits_no_longer_than_it_may(collector, millis):
    """
    A service that takes ten seconds to answer holds up the exit for
    *shutdown_timeout_millis*; what was not sent by then is counted.
    """
    collector.add_fault(Fault(delay=10, status=500), times=None)
    run = runner.run(
        f"""
        import atexit, time

        def last():
            workload.tell(seconds=time.monotonic() - begin,
                          stats=workload.counts(client))

        atexit.register(last)
        import workload
        client = workload.begin(shutdown_timeout_millis={millis})
        workload.log(client, "p", 50)
        workload.wait_asked()
        workload.log(client, "q", 50)
        begin = time.monotonic()
        """,
        url=collector.url,
    )

    assert (run.code, run.err) == (0, "")
    (last,) = run.told
    assert millis / 1000 <= last["seconds"] < millis / 1000 + 5
    stats = last["stats"]
    assert (stats["logged"], stats["dropped"], stats["pending"]) == (
        100,
        100,
        0,
    )


@pytest.mark.parametrize("threads", ["", "client.flush();time.sleep(0.3)"])
def test_exit_while_nobody_listens(threads):
    """
    Refused connections are tried again until the deadline, no longer, and
    every event is counted as dropped.
    """
    run = runner.run(
        f"""
        import atexit, time

        def last():
            workload.tell(seconds=time.monotonic() - begin,
                          stats=workload.counts(client))

        atexit.register(last)
        import workload
        client = workload.begin(shutdown_timeout_millis=1000)
        workload.log(client, "p", 50)
        {threads}
        begin = time.monotonic()
        """,
        url="http://127.0.0.1:9/2/httpapi",
    )

    assert (run.code, run.err) == (0, "")
    (last,) = run.told
    assert 1 <= last["seconds"] < 5
    assert last["stats"]["dropped"] == last["stats"]["logged"] == 50


def test_exit_waits_for_all_instances_at_once(collector):
    """
    Two instances whose service is down cost what one does, and take nothing
    from a third, whose events are delivered meanwhile.
    """
    run = runner.run(
        """
        import atexit, time

        def last():
            workload.tell(seconds=time.monotonic() - begin)

        atexit.register(last)
        import ringamp, workload
        for name in "ab":
            down = ringamp.get_instance(name).init(
                workload.KEY, server_url="http://127.0.0.1:9/",
                shutdown_timeout_millis=2000)
            workload.log(down, name, 5)
        client = workload.begin(upload_interval_in_sec=60,
                                shutdown_timeout_millis=2000)
        workload.log(client, "p", 5)
        begin = time.monotonic()
        """,
        url=collector.url,
    )

    assert (run.code, run.err) == (0, "")
    assert 2 <= run.the()["seconds"] < 3.7
    assert collector.took_once(("p", 5))


def test_exit_comes_sooner_where_no_retry_is_wanted():
    """
    Without retries there is nothing to wait for.
    """
    run = runner.run(
        """
        import workload
        client = workload.begin(
            retry_timeouts=[], shutdown_timeout_millis=30_000)
        workload.log(client, "p", 50)
        """,
        url="http://127.0.0.1:9/2/httpapi",
    )

    assert (run.code, run.err) == (0, "")
    assert run.seconds < 20


def test_scenario_18_os_exit_loses_what_is_in_memory(collector):
    """
    `os._exit` runs nothing of Python, so what has not been sent is lost, as
    documented; `flush().result()` before it is the cure.
    """
    run = runner.run(
        """
        import os, workload
        client = workload.begin(upload_interval_in_sec=60)
        workload.log(client, "kept", 5)
        client.flush().result(30)
        workload.log(client, "lost", 5)
        os._exit(0)
        """,
        url=collector.url,
    )

    assert (run.code, run.err) == (0, "")
    assert collector.took_once(("kept", 5))
