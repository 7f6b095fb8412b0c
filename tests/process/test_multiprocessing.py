# SPDX-License-Identifier: MIT
"""
Children of `multiprocessing` and `concurrent.futures` log ten events and
return; nobody flushes, all arrive.
"""

from __future__ import annotations

import pytest
import runner
from slowness import slow_but

pytestmark = pytest.mark.process

METHODS = ("fork", "forkserver", "spawn")

PLACES = {
    # As in a module of settings: every process that imports it has a client.
    "at import": ("client = workload.begin()", "ringamp.get_instance()"),
    # A child that inherits nothing begins by itself.
    "in the child": ("", "workload.begin()"),
}

SOURCE = """
    import multiprocessing, os, sys
    import ringamp, workload
    {at_import}

    def job(name):
        client = {in_child}
        workload.log(client, name, 10)
        return name

    def process(context):
        children = [
            context.Process(target=job, args=(f"c{{n}}",)) for n in range(2)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        workload.tell(codes=[child.exitcode for child in children])

    def pool(context):
        with context.Pool(2) as workers:
            names = workers.map(job, ["c0", "c1"], chunksize=1)
            workers.close()
            workers.join()
        workload.tell(codes=[0 for _ in names])

    def executor(context):
        import concurrent.futures
        with concurrent.futures.ProcessPoolExecutor(
            2, mp_context=context) as workers:
            names = list(workers.map(job, ["c0", "c1"]))
        workload.tell(codes=[0 for _ in names])

    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[1])
        globals()[sys.argv[2]](context)
"""


@pytest.mark.parametrize("place", slow_but(["at import"], PLACES))
@pytest.mark.parametrize("how", ["process", "pool", "executor"])
@pytest.mark.parametrize("method", slow_but(["fork"], METHODS))
def test_scenario_17_a_child_that_returns_loses_nothing(
    collector, tmp_path, method, how, place
):
    """
    However multiprocessing makes its children and wherever `init` stands,
    ten events logged right before the end are delivered.
    """
    at_import, in_child = PLACES[place]
    run = runner.run(
        SOURCE.format(at_import=at_import, in_child=in_child),
        method,
        how,
        url=collector.url,
        file=tmp_path / "program.py",
    )

    assert (run.code, run.hung, run.err) == (0, False, "")
    assert run.told == [{"codes": [0, 0]}]
    assert collector.took_once(("c0", 10), ("c1", 10))


@pytest.mark.parametrize("method", slow_but(["fork"], METHODS))
def test_scenario_17_a_child_that_raises_loses_nothing(
    collector, tmp_path, method
):
    """
    An exception ends the child, and what it had logged is delivered.
    """
    run = runner.run(
        """
        import multiprocessing, sys
        import workload
        client = workload.begin()

        def job():
            workload.log(client, "c", 10)
            raise KeyError("the job failed")

        if __name__ == "__main__":
            workload.log(client, "p", 10)
            context = multiprocessing.get_context(sys.argv[1])
            child = context.Process(target=job)
            child.start()
            child.join()
            workload.tell(code=child.exitcode)
        """,
        method,
        url=collector.url,
        file=tmp_path / "program.py",
    )

    assert (run.code, run.told) == (0, [{"code": 1}])
    assert "the job failed" in run.err
    assert collector.took_once(("p", 10), ("c", 10))


@pytest.mark.parametrize("then", ["", "client.flush()"])
def test_postfork_in_a_fork_hook_does_not_lose_the_exit(
    collector, tmp_path, then
):
    """
    An application may call `postfork` from `os.register_at_fork`, before
    multiprocessing forgets all that is registered for the end of the child.
    """
    run = runner.run(
        f"""
        import multiprocessing, os
        import ringamp, workload
        client = workload.begin()
        os.register_at_fork(after_in_child=ringamp.postfork)

        def job():
            workload.log(client, "c", 10)
            {then}

        if __name__ == "__main__":
            child = multiprocessing.get_context("fork").Process(target=job)
            child.start()
            child.join()
        """,
        url=collector.url,
        file=tmp_path / "program.py",
    )

    assert (run.code, run.err) == (0, "")
    assert collector.took_once(("c", 10))


def test_a_fork_inside_a_multiprocessing_child(collector, tmp_path):
    """
    A child of multiprocessing that forks by itself, and whose own child ends
    as its parent does.
    """
    run = runner.run(
        """
        import multiprocessing, os
        import workload
        client = workload.begin()

        def job(name):
            workload.log(client, name, 10)
            if name == "c":
                context = multiprocessing.get_context("fork")
                child = context.Process(target=job, args=("g",))
                child.start()
                child.join()

        if __name__ == "__main__":
            child = multiprocessing.get_context("fork").Process(
                target=job, args=("c",))
            child.start()
            child.join()
            workload.tell(code=child.exitcode)
        """,
        url=collector.url,
        file=tmp_path / "program.py",
    )

    assert (run.code, run.err, run.told) == (0, "", [{"code": 0}])
    assert collector.took_once(("c", 10), ("g", 10))
