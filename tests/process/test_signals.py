# SPDX-License-Identifier: MIT
"""
Signal handlers that call the client while it is being called.
"""

from __future__ import annotations

import signal

import pytest
import runner
from slowness import slow_but

pytestmark = pytest.mark.process

IMPORTS = """
        import os, ringamp, signal, sys, time, workload
"""

CALLS = {
    "log": "client.log_event(workload.event(f's-{next(numbers)}'))",
    "flush": "client.flush()",
    "stats": "client.stats()",
    "response": "receipts[-1].response",
    "postfork": "ringamp.postfork()",
    "opt out": "client.opt_out = False",
}


@pytest.mark.parametrize("call", slow_but(["log"], CALLS))
def test_signal_handlers_may_call_the_client(collector, call):
    """
    A timer interrupts the main thread hundreds of times, wherever it is
    inside the client, and its handler calls the client: nothing locks up.
    """
    run = runner.run(
        f"""
        {IMPORTS}
        numbers = iter(range(1 << 40))
        done = 0

        def handler(*_):
            global done
            done += 1
            {CALLS[call]}
            signal.setitimer(signal.ITIMER_REAL, 0.0003)

        client = workload.begin()
        receipts = workload.log(client, "p", 1)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0003)
        logged = 1
        while done < 300:
            receipts = workload.log(client, "p", 20, first=logged)
            logged += 20
            for receipt in receipts:
                receipt.response
            client.flush()
            client.stats()
            client.opt_out = False
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        client.shutdown()
        workload.tell(p=logged, s=next(numbers), stats=workload.counts(client))
        """,
        url=collector.url,
        deadline=120,
    )

    assert (run.code, run.hung, run.err) == (0, False, "")
    (told,) = run.told
    stats = told["stats"]
    assert stats["logged"] == stats["delivered"] == told["p"] + told["s"]
    assert collector.took_once(("p", told["p"]), ("s", told["s"]))


def test_a_shutdown_in_a_signal_handler(collector):
    """
    A handler shuts down in the middle of whatever the main thread does with
    the client, forty times over: none hangs, all that was logged is counted.
    """
    run = runner.run(
        f"""
        {IMPORTS}

        def child(number):
            client = workload.begin(buffer_bytes=65536)
            ended = []

            def handler(*_):
                client.shutdown()
                ended.append(1)

            signal.signal(signal.SIGALRM, handler)
            signal.setitimer(signal.ITIMER_REAL, 1e-4 + number * 5e-5)
            while not ended:
                for receipt in workload.log(client, f"c{{number}}", 5):
                    receipt.response
                client.flush()
                client.stats()
            stats = workload.counts(client)
            assert stats["logged"] == stats["delivered"] + stats["dropped"]

        codes = []
        for number in range(40):
            codes.append(workload.reap(workload.fork(child, number)))
            if codes[-1] != 0:
                break
        workload.tell(codes=sorted(set(map(str, codes))))
        """,
        url=collector.url,
        deadline=120,
    )

    assert (run.err, run.code, run.told) == ("", 0, [{"codes": ["0"]}])


def test_a_signal_during_the_first_event_of_a_child(collector):
    """
    The first event in a child rebuilds; a signal whose handler logs as well
    may come at any moment of that.
    """
    run = runner.run(
        f"""
        {IMPORTS}
        client = workload.begin(buffer_bytes=65536)

        def child(number):
            name = f"c{{number}}"
            done = []

            def handler(*_):
                client.log_event(workload.event(f"{{name}}s-{{len(done)}}"))
                done.append(1)

            signal.signal(signal.SIGALRM, handler)
            signal.setitimer(signal.ITIMER_REAL, 1e-6 + number * 4e-6)
            workload.log(client, name, 3)
            while not done:
                time.sleep(0.0001)
            client.shutdown()

        codes = []
        for number in range(150):
            codes.append(workload.reap(workload.fork(child, number)))
            if codes[-1] == "hung":
                break
        workload.tell(codes=sorted(set(map(str, codes))))
        """,
        url=collector.url,
        deadline=120,
    )

    assert (run.err, run.code, run.told) == ("", 0, [{"codes": ["0"]}])
    pairs = [(f"c{n}", 3) for n in range(150)]
    assert collector.took_once(*pairs, *((f"c{n}s", 1) for n in range(150)))


def test_a_signal_that_the_main_thread_waits_for_comes_to_it(collector):
    """
    A program that blocks a signal and waits for it is not ended by it,
    though the threads of the client were started before.
    """
    run = runner.run(
        f"""
        {IMPORTS}
        client = workload.begin(concurrent_uploads=3)
        workload.log(client, "p", 10)
        client.flush().result(30)
        signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGUSR1}})
        os.kill(os.getpid(), signal.SIGUSR1)
        caught = signal.sigwait({{signal.SIGUSR1}})
        client.shutdown()
        workload.tell(caught=caught)
        """,
        url=collector.url,
    )

    assert (run.code, run.hung, run.err) == (0, False, "")
    assert run.the(caught=signal.SIGUSR1)
    assert collector.took_once(("p", 10))
