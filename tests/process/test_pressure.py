# SPDX-License-Identifier: MIT
"""
A service that takes nothing, and one that takes all but one user's events,
under load.
"""

from __future__ import annotations

import pytest
import runner
from passing import pass_on

from ringamp.collector import Fault

pytestmark = pytest.mark.process


def test_scenario_22_a_full_ring_while_the_service_is_down(collector):
    """
    A push into a full ring costs no more than one into an empty one, what
    finds no room is counted, and when the service is back all that was
    accepted arrives, in the order of each thread.
    """
    collector.add_fault(Fault(status=503), times=None)
    program = runner.start(
        """
        import sys, threading, time, workload
        client = workload.begin(buffer_bytes=1 << 20,
                                retry_timeouts=[50] * 1000)
        accepted = {f"t{n}": [] for n in range(9)}

        def push(name):
            seconds = []
            for number in range(4000):
                event = workload.event(f"{name}-{number}")
                begin = time.perf_counter()
                receipt = client.log_event(event)
                seconds.append(time.perf_counter() - begin)
                if receipt.status == "queued":
                    accepted[name].append(number)
            return sorted(seconds)

        threads = [threading.Thread(target=push, args=(f"t{n}",))
                   for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # Alone: threads that compute take the GIL from one another. The best
        # round: another process may have had the processor in others.
        rounds = [push(f"t{n}") for n in range(4, 9)]
        workload.tell(stats=workload.counts(client),
                      late=min(one[int(len(one) * 0.999)] for one in rounds))
        sys.stdin.readline()
        client.flush().result(30)
        workload.tell(accepted=accepted, stats=workload.counts(client))
        """,
        url=collector.url,
        stdin=True,
    )
    try:
        down = program.hear()
        collector.clear_faults()
        program.say("up")
    finally:
        run = program.wait(120)

    assert (run.code, run.hung, run.err) == (0, False, "")
    (up,) = run.told
    assert down["stats"]["delivered"] == 0
    assert down["stats"]["dropped"] > 1000
    assert down["late"] < 0.001
    accepted = up["accepted"]
    assert up["stats"] == {
        "logged": 36_000,
        "delivered": sum(map(len, accepted.values())),
        "rejected": 0,
        "dropped": down["stats"]["dropped"],
        "pending": 0,
    }
    arrived = {name: [] for name in accepted}
    for event in collector.events():
        name, _, number = event["event_properties"]["tag"].partition("-")
        arrived[name].append(int(number))
    assert arrived == accepted


def test_scenario_23_one_user_waits_and_the_process_dies(collector, spool):
    """
    While one user's events wait for a service that throttles that user, all
    others are delivered, and memory stays as it was. Then the process is
    killed: the next one sends what waited, and what was taken is not sent
    again.
    """
    collector.add_fault(Fault(users=("stuck-user",)), times=None)
    run = runner.run(
        """
        import os, resource, time, workload
        client = workload.begin()

        def log_as(user, name, count):
            for number in range(count):
                event = workload.event(f"{name}-{number}")
                client.log_event({**event, "user_id": user})

        def memory():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        log_as("stuck-user", "stuck", 200)
        log_as("warm-user", "warm", 4000)
        begin, before = time.monotonic(), memory()
        for part in range(10):
            log_as("other-user", f"other{part}", 2000)
            log_as("stuck-user", f"stuck{part}", 20)
            while client.stats().delivered < 4000 + 2000 * (part + 1):
                assert time.monotonic() < begin + 60
                time.sleep(0.005)
        workload.tell(grown=memory() - before, stats=workload.counts(client))
        os.kill(os.getpid(), 9)
        """,
        url=collector.url,
        deadline=120,
        RINGAMP_TEST_OPTIONS=spool.env(buffer_bytes=1 << 22),
    )
    (told,) = run.told
    assert run.code == -9
    assert told["stats"]["pending"] == 400
    assert told["grown"] < 16 * 1024
    collector.clear_faults()
    pass_on(spool, collector.url)

    assert collector.took_once(
        ("stuck", 200),
        ("warm", 4000),
        *((f"other{n}", 2000) for n in range(10)),
        *((f"stuck{n}", 20) for n in range(10)),
        ("heir", 1),
    )
    assert collector.summary().duplicates == 0
    assert spool.files() == []
