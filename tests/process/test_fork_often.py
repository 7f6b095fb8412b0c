# SPDX-License-Identifier: MIT
"""
Many forks and many events: processes by the hundred, insert_ids by the
hundred thousand.
"""

from __future__ import annotations

import pytest
import runner

pytestmark = pytest.mark.process

FORKS = 500


@pytest.mark.slow
@pytest.mark.parametrize("uploads", [1, 8])
def test_scenario_1_forks_while_threads_push(collector, spool, uploads):
    """
    While four threads log without a pause, the process forks five hundred
    times. Every child logs at once and leaves by `os._exit`; the
    parent loses nothing of its own and sends what the children left, whose
    files are gone in the end.
    """
    run = runner.run(
        f"""
        import os, threading, time, workload
        client = workload.begin(concurrent_uploads={uploads})
        over = False

        def push(name):
            count = 0
            while not over:
                workload.log(client, name, 1, first=count)
                count += 1
                time.sleep(0.002)
            logged[name] = count

        def child(number):
            begin = time.monotonic()
            workload.log(client, f"c{{number}}", 3)
            if time.monotonic() - begin > 10:
                os._exit(3)

        logged, codes = {{}}, []
        threads = [threading.Thread(target=push, args=(f"t{{n}}",))
                   for n in range(4)]
        for thread in threads:
            thread.start()
        for first in range(0, {FORKS}, 10):
            pids = [workload.fork(child, first + n) for n in range(10)]
            codes += map(workload.reap, pids)
        over = True
        for thread in threads:
            thread.join()
        client.flush().result(30)
        workload.wait_alone(120)
        stats = client.stats()
        workload.tell(codes=sorted(set(map(str, codes))), logged=logged,
                      stats=workload.counts(client), adopted=stats.adopted,
                      torn=stats.torn)
        """,
        url=collector.url,
        deadline=240,
        RINGAMP_TEST_OPTIONS=spool.env(buffer_bytes=1 << 18),
    )

    assert (run.code, run.hung, run.err) == (0, False, "")
    (told,) = run.told
    assert told["codes"] == ["0"]
    # A child may have come to send what another one had left.
    assert FORKS / 2 < told["adopted"] <= FORKS
    assert told["torn"] == 0
    stats = told["stats"]
    assert stats["logged"] == stats["delivered"]
    assert stats["logged"] == sum(told["logged"].values())
    children = [(f"c{n}", 3) for n in range(FORKS)]
    assert collector.took_once(*told["logged"].items(), *children)
    assert spool.files() == []


@pytest.mark.slow
def test_scenario_6_insert_ids_by_the_hundred_thousand(tmp_path):
    """
    A parent, two children and a grandchild log a hundred thousand events
    each; no two of the four hundred thousand have the same insert_id.
    """
    run = runner.run(
        """
        import os, re, sys, workload
        import ringamp

        class Note:
            # Keeps the insert_ids of what would be sent.
            def send_payload(self, payload):
                found = re.findall(
                    rb'"insert_id":"([^"]+)"', bytes(payload.body))
                with open(f"{sys.argv[1]}/{os.getpid()}", "ab") as file:
                    file.write(b"\\n".join(found) + b"\\n")
                return ringamp.Response(ringamp.Status.SUCCESS, 200)

        client = workload.begin(transport_class=Note, on_full="block")

        def family(name, *more):
            event = workload.event(name)
            for _ in range(100_000):
                client.log_event(event)
            for other in more:
                assert workload.reap(workload.fork(family, *other), 120) == 0
            client.shutdown()
            workload.tell(stats=workload.counts(client))

        family("p", ("a",), ("b", ("g",)))
        """,
        tmp_path,
        url="http://127.0.0.1:9/",
        deadline=240,
    )

    assert (run.code, run.hung, run.err) == (0, False, "")
    assert [told["stats"]["delivered"] for told in run.told] == [100_000] * 4
    files = list(tmp_path.iterdir())
    ids = [line for file in files for line in file.read_bytes().split()]
    assert len(files) == 4
    assert len(ids) == len(set(ids)) == 400_000
