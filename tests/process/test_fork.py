# SPDX-License-Identifier: MIT
"""
What a child of `os.fork` inherits and what it does not.
"""

from __future__ import annotations

import pytest
import runner

from ringamp.collector import Fault

pytestmark = pytest.mark.process


def test_scenario_7_a_child_never_sends_what_its_parent_logged(collector):
    """
    Events that wait in the parent at the fork are the parent's to send, each
    once; the child's receipts of them answer unknown, and it counts from 0.
    """
    run = runner.run(
        """
        import workload
        client = workload.begin(upload_interval_in_sec=60)
        receipts = workload.log(client, "p", 50)

        def child():
            was = workload.counts(client)
            answers = {receipt.result(0).status for receipt in receipts}
            idle = client.flush()
            done = idle.done() and idle.result().status
            workload.log(client, "c", 7)
            workload.tell(who="child", was=was, answers=sorted(answers),
                          idle=done, queued=receipts[0].status)
            client.flush().result(30)
            workload.tell(who="end", stats=workload.counts(client))

        code = workload.reap(workload.fork(child))
        workload.tell(who="parent", code=code, stats=workload.counts(client))
        result = client.flush().result(30)
        workload.tell(who="last", stats=workload.counts(client),
                      own=receipts[0].result(30).status, flush=result.status)
        """,
        url=collector.url,
    )

    assert (run.code, run.err) == (0, "")
    child, parent = run.the(who="child"), run.the(who="parent")
    assert set(child["was"].values()) == {0}
    assert (child["answers"], child["idle"]) == (["unknown"], "skipped")
    assert run.the(who="end")["stats"]["delivered"] == 7
    assert (parent["code"], parent["stats"]["pending"]) == (0, 50)
    assert run.the(who="last")["stats"]["delivered"] == 50
    assert (run.the(who="last")["own"]) == "success"
    assert collector.took_once(("p", 50), ("c", 7))


def test_a_shutdown_in_a_child_is_the_childs(collector):
    """
    Before its first event as well: the child refuses from then on and counts
    what it refuses; the parent goes on and sends its own.
    """
    run = runner.run(
        """
        import workload
        client = workload.begin(upload_interval_in_sec=60)
        workload.log(client, "p", 5)

        def child():
            client.shutdown()
            receipts = workload.log(client, "c", 3)
            workload.tell(statuses=[receipt.status for receipt in receipts],
                          stats=workload.counts(client))

        code = workload.reap(workload.fork(child))
        workload.log(client, "q", 5)
        client.shutdown()
        workload.tell(code=code)
        """,
        url=collector.url,
    )

    assert (run.code, run.err) == (0, "")
    child, parent = run.told
    assert child["statuses"] == ["dropped"] * 3
    assert child["stats"]["dropped"] == child["stats"]["logged"] == 3
    assert parent == {"code": 0}
    assert collector.took_once(("p", 5), ("q", 5))


def test_scenario_8_a_grandchild_without_a_push_in_between(collector):
    """
    Two forks in a row, with nothing logged between them, and the third
    generation works: no flag that is set once decides.
    """
    run = runner.run(
        """
        import os, workload
        client = workload.begin()
        workload.log(client, "p", 3)

        def grandchild():
            workload.log(client, "g", 5)
            client.flush().result(30)
            workload.tell(who="g", stats=workload.counts(client))

        def child():
            assert workload.reap(workload.fork(grandchild)) == 0
            workload.log(client, "c", 4)
            assert workload.reap(workload.fork(grandgrandchild)) == 0
            client.shutdown()

        def grandgrandchild():
            workload.log(client, "gg", 6)
            client.shutdown()

        assert workload.reap(workload.fork(child)) == 0
        """,
        url=collector.url,
    )

    assert (run.code, run.err) == (0, "")
    assert run.the(who="g")["stats"]["logged"] == 5
    assert collector.took_once(("p", 3), ("c", 4), ("g", 5), ("gg", 6))


def test_scenario_6_two_children_and_a_grandchild_share_no_insert_id(
    collector,
):
    """
    Parent, two children and a grandchild log the same number of events at
    the same positions of their rings; no two have the same insert_id.
    """
    run = runner.run(
        """
        import workload
        client = workload.begin(upload_interval_in_sec=60)
        workload.log(client, "p", 2000)

        def family(name, again=False):
            workload.log(client, name, 2000)
            if again:
                assert workload.reap(workload.fork(family, "g")) == 0
            client.shutdown()

        for name in ("a", "b"):
            assert workload.reap(workload.fork(family, name, name == "b")) == 0
        client.shutdown()
        """,
        url=collector.url,
    )

    assert (run.code, run.err) == (0, "")
    names = [(name, 2000) for name in ("p", "a", "b", "g")]
    assert collector.took_once(*names)
    assert collector.summary().duplicates == 0


def test_a_fork_in_another_thread(collector):
    """
    The child of a thread's fork logs, and so do threads it starts.
    """
    run = runner.run(
        """
        import threading, workload
        client = workload.begin()
        workload.log(client, "p", 5)

        def child():
            workload.log(client, "c", 5)
            own = threading.Thread(target=workload.log, args=(client, "t", 5))
            own.start()
            own.join()
            client.shutdown()

        def thread():
            workload.tell(code=workload.reap(workload.fork(child)))

        forking = threading.Thread(target=thread)
        forking.start()
        forking.join()
        """,
        url=collector.url,
    )

    assert (run.code, run.err, run.told) == (0, "", [{"code": 0}])
    assert collector.took_once(("p", 5), ("c", 5), ("t", 5))


def test_a_fork_while_the_flusher_waits_for_an_answer(collector):
    """
    The child uses a connection of its own and is not held up by the parent's
    slow request, whose answer still reaches the parent.
    """
    collector.add_fault(Fault(delay=4))
    run = runner.run(
        """
        import workload
        client = workload.begin()
        receipt = workload.log(client, "p", 5)[0]
        workload.wait_asked()

        def child():
            workload.log(client, "c", 5)
            client.flush().result(30)

        code = workload.reap(workload.fork(child))
        assert receipt.response is None
        answer = receipt.result(30)
        client.flush().result(30)
        stats = client.stats()
        workload.tell(who="p", code=code, answer=answer.status,
                      requests=stats.requests, retries=stats.retries)
        """,
        url=collector.url,
    )

    assert (run.code, run.err) == (0, "")
    parent = run.the(who="p")
    assert (parent["code"], parent["answer"]) == (0, "success")
    assert (parent["requests"], parent["retries"]) == (1, 0)
    assert collector.took_once(("p", 5), ("c", 5))


def test_scenario_12_a_fork_while_a_thread_holds_the_logging_lock(collector):
    """
    Nothing of ringamp needs the lock of `logging` in a child, not even to
    say that an event is invalid or a request failed.
    """
    collector.add_fault(Fault(status=500), times=3)
    run = runner.run(
        """
        import logging, threading, workload
        logging.basicConfig()
        client = workload.begin(log_level=ringamp.LogLevel.WARN)
        held, enough = threading.Event(), threading.Event()

        class Slow(logging.Handler):
            def emit(self, record):
                held.set()
                enough.wait(30)

        logging.getLogger("other").addHandler(Slow())
        work = threading.Thread(
            target=logging.getLogger("other").error, args=("x",))
        work.start()
        held.wait()

        def child():
            client.log_event({"event_type": "no id"})
            workload.log(client, "c", 5)
            client.shutdown()

        code = workload.reap(workload.fork(child))
        enough.set()
        work.join()
        workload.tell(code=code)
        """.replace("import logging", "import ringamp, logging"),
        url=collector.url,
    )

    assert (run.code, run.told) == (0, [{"code": 0}])
    assert "an event is invalid" in run.err
    assert collector.took_once(("c", 5))


def test_a_fork_while_threads_are_inside_urllib3(collector):
    """
    Threads of the parent send through urllib3 all the time; whatever locks
    they hold at the fork, forty children in a row get their events through.
    """
    run = runner.run(
        """
        import threading, urllib3, workload
        client = workload.begin()
        url = workload.os.environ["RINGAMP_TEST_URL"]
        over = threading.Event()
        pool = urllib3.PoolManager(maxsize=1, block=True)

        def busy(number):
            while not over.is_set():
                pool.request("GET", url + str(number))
                pool.clear()

        threads = [threading.Thread(target=busy, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()

        def child(number):
            workload.log(client, f"c{number}", 3)
            client.shutdown()

        codes = []
        for number in range(40):
            workload.log(client, f"p{number}", 3)
            codes.append(workload.reap(workload.fork(child, number)))
        over.set()
        for thread in threads:
            thread.join()
        client.shutdown()
        workload.tell(codes=sorted(set(codes)))
        """,
        url=collector.url,
        deadline=40,
    )

    assert (run.code, run.err, run.told) == (0, "", [{"codes": [0]}])
    pairs = [(f"{who}{n}", 3) for who in "pc" for n in range(40)]
    assert collector.took_once(*pairs)


def test_init_in_a_child_lets_go_of_the_parent(collector):
    """
    A child that calls `init` sends its own events and leaves the parent's
    connection and events alone.
    """
    run = runner.run(
        """
        import workload
        client = workload.begin()
        assert workload.log(client, "p", 3)[0].result(30)
        inherited = workload.sockets()

        def child():
            workload.begin()
            workload.tell(inherited=inherited, left=workload.sockets())
            workload.log(client, "c", 3)
            client.shutdown()

        assert workload.reap(workload.fork(child)) == 0
        workload.log(client, "q", 3)
        client.flush().result(30)
        """,
        url=collector.url,
    )

    assert (run.code, run.err) == (0, "")
    assert run.told == [{"inherited": 1, "left": 0}]
    assert collector.took_once(("p", 3), ("c", 3), ("q", 3))


def test_postfork_rebuilds_at_once_and_only_once(collector):
    """
    In the parent `postfork` does nothing; in a child the first call rebuilds
    without starting a thread, and the second does nothing.
    """
    run = runner.run(
        """
        import ringamp, workload
        client = workload.begin()
        session = client._session
        workload.log(client, "p", 2)
        ringamp.postfork()
        assert client._session is session

        def child():
            was = client._session
            ringamp.postfork()
            first = client._session
            ringamp.postfork()
            idle = workload.threads()
            workload.log(client, "c", 2)
            workload.tell(rebuilt=first is not was, idle=idle,
                          again=client._session is first,
                          busy=workload.threads())
            client.shutdown()

        assert workload.reap(workload.fork(child)) == 0
        """,
        url=collector.url,
    )

    assert (run.code, run.err) == (0, "")
    assert run.told == [{"rebuilt": True, "idle": 1, "again": True, "busy": 2}]
    assert collector.took_once(("p", 2), ("c", 2))


@pytest.mark.parametrize("spool", [False, True])
def test_a_callback_that_forks_returns_to_one_flusher(
    collector, tmp_path, spool
):
    """
    In the child of a fork that a callback of the flusher's makes, the copy of
    the flusher sends nothing, touches no file and ends; the parent goes on.
    """
    tmp_path.chmod(0o700)
    run = runner.run(
        """
        import os, workload
        children = []

        def tell(events, response):
            if not children:
                pid = os.fork()
                if pid:
                    children.append(pid)

        path = os.environ["SPOOL"] or None
        client = workload.begin(on_delivery=tell, spool_dir=path)
        workload.log(client, "p", 2500)
        client.flush().result(30)
        workload.log(client, "q", 10)
        client.flush().result(30)
        workload.tell(who="p", code=workload.reap(children[0]),
                      stats=workload.counts(client))
        """,
        url=collector.url,
        SPOOL=str(tmp_path) if spool else "",
    )

    assert (run.code, run.err) == (0, "")
    parent = run.the(who="p")
    assert parent["code"] == 0
    assert parent["stats"]["delivered"] == 2510
    assert collector.took_once(("p", 2500), ("q", 10))
