# SPDX-License-Identifier: MIT
"""
Children of `multiprocessing` with a spool: those that return send what they
logged, and of those that do not, others do.
"""

from __future__ import annotations

import pytest
import runner
from passing import pass_on
from slowness import slow_but
from test_multiprocessing import METHODS, PLACES, SOURCE

HOWS = ["process", "pool", "executor"]

pytestmark = pytest.mark.process


@pytest.mark.parametrize("how", slow_but(["pool"], HOWS))
@pytest.mark.parametrize("method", slow_but(["fork"], METHODS))
def test_scenario_17_children_with_a_spool(
    collector, spool, tmp_path, method, how
):
    """
    Ten events logged right before a child's end are delivered by the child,
    whose file is gone. One that has imported the client and got no work may
    leave an empty file to whoever comes next.
    """
    at_import, in_child = PLACES["at import"]
    run = runner.run(
        SOURCE.format(at_import=at_import, in_child=in_child),
        method,
        how,
        url=collector.url,
        file=tmp_path / "program.py",
        RINGAMP_TEST_OPTIONS=spool.env(upload_interval_in_sec=60),
    )

    assert (run.code, run.hung, run.err) == (0, False, "")
    assert run.told == [{"codes": [0, 0]}]
    assert collector.took_once(("c0", 10), ("c1", 10))
    assert len(spool.files()) <= (how != "process" and method != "fork")
    if spool.files():
        pass_on(spool, collector.url)
        assert spool.files() == []


ENDED = """
    import multiprocessing, os, sys, time
    import workload
    client = workload.begin()

    def leave(name):
        workload.log(client, name, 10)
        os._exit(0)

    def return_(name):
        workload.log(client, name, 10)
        return len(os.listdir(sys.argv[2]))

    def process(context):
        children = [
            context.Process(target=leave, args=(f"c{{n}}",))
            for n in range(2)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        return [child.exitcode for child in children]

    def pool(context):
        # The end of the block calls `terminate`.
        with context.Pool(2) as workers:
            workers.map(return_, ["c0", "c1"], chunksize=1)
        return [0, 0]

    if __name__ == "__main__":
        codes = {how}(multiprocessing.get_context(sys.argv[1]))
        workload.log(client, "p", 1)
        workload.wait_alone()
        workload.tell(codes=codes)
"""


@pytest.mark.parametrize("method", slow_but(["fork"], METHODS))
def test_scenario_18_children_that_leave_at_once(
    collector, spool, tmp_path, method
):
    """
    `os._exit(0)` right after the last event runs nothing of anybody; the
    parent finds what the children left, and sends it.
    """
    run = runner.run(
        ENDED.format(how="process"),
        method,
        spool.path,
        url=collector.url,
        file=tmp_path / "program.py",
        RINGAMP_TEST_OPTIONS=spool.env(upload_interval_in_sec=60),
    )

    assert (run.code, run.hung, run.err) == (0, False, "")
    assert run.told == [{"codes": [0, 0]}]
    assert collector.took_once(("c0", 10), ("c1", 10), ("p", 1))
    assert spool.files() == []


@pytest.mark.parametrize("method", slow_but(["fork"], ["fork", "spawn"]))
def test_a_pool_that_is_terminated(collector, spool, tmp_path, method):
    """
    `Pool.terminate` ends children by SIGTERM, in the midst of whatever; what
    they had logged is sent by the parent.
    """
    run = runner.run(
        ENDED.format(how="pool"),
        method,
        spool.path,
        url=collector.url,
        file=tmp_path / "program.py",
        RINGAMP_TEST_OPTIONS=spool.env(upload_interval_in_sec=60),
    )

    assert (run.code, run.hung, run.err) == (0, False, "")
    assert run.told == [{"codes": [0, 0]}]
    assert collector.took_once(("c0", 10), ("c1", 10), ("p", 1))
    assert spool.files() == []


def test_scenario_18_is_found_within_a_scan(collector, spool):
    """
    A parent whose flusher is at work already finds a child that left at once
    by its next look.
    """
    run = runner.run(
        """
        import os, time, workload
        client = workload.begin()
        workload.log(client, "p", 1)
        client.flush().result(30)
        workload.settle(client)
        pid = os.fork()
        if not pid:
            workload.log(client, "c", 10)
            os._exit(0)
        os.waitpid(pid, 0)
        begin = time.monotonic()
        workload.wait_alone()
        stats = client.stats()
        workload.tell(seconds=time.monotonic() - begin,
                      adopted=stats.adopted, recovered=stats.recovered)
        """,
        url=collector.url,
        RINGAMP_TEST_OPTIONS=spool.env(),
    )

    assert (run.code, run.hung, run.err) == (0, False, "")
    (told,) = run.told
    assert (told["adopted"], told["recovered"]) == (1, 10)
    assert told["seconds"] < 20
    assert collector.took_once(("p", 1), ("c", 10))
    assert spool.files() == []
