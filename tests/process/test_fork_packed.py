# SPDX-License-Identifier: MIT
"""
Forks of a client with compression="gzip".
"""

from __future__ import annotations

import pytest
import runner
from proxies import Proxy

from ringamp.collector import Collector, Settings

pytestmark = pytest.mark.process


@pytest.fixture
def proxy():
    """
    A proxy that cannot read gzip, before a collector.
    """
    with Collector(settings=Settings(throttle=False)) as collector:
        made = Proxy(collector, refusal=400)
        yield made
        made.stop()


def test_a_child_learns_for_itself(proxy):
    """
    It packs again, though its parent has learned not to, counts its own bytes
    from 0, and meets the refusal once as well.
    """
    run = runner.run(
        """
        import workload
        client = workload.begin(compression="gzip", upload_interval_in_sec=60)

        def send(who, count):
            workload.log(client, who, count)
            client.flush().result(30)
            stats = client.stats()
            workload.tell(who=who, sent=stats.bytes_sent,
                          saved=stats.bytes_saved, done=stats.delivered)

        send("p", 200)
        code = workload.reap(workload.fork(send, "c", 100))
        send("q", 100)
        workload.tell(who="code", code=code)
        client.shutdown()
        """,
        url=proxy.url,
    )

    assert (run.code, run.err) == (0, "")
    assert run.the(who="code")["code"] == 0
    assert proxy.codings == ["gzip", None, "gzip", None, None]
    sizes = [size for _, size in proxy.seen]
    child = run.the(who="c")
    assert (child["done"], child["saved"]) == (100, 0)
    assert child["sent"] == sizes[2] + sizes[3]
    assert run.the(who="q")["sent"] == sizes[0] + sizes[1] + sizes[4]
    summary = proxy.collector.ledger.summary()
    assert (summary.accepted, summary.duplicates) == (400, 0)


@pytest.mark.parametrize("fast", [True, False])
def test_a_child_packs_what_it_logs(collector, fast):
    """
    With either codec, beside a thread of the parent that packs at the moment
    of the fork.
    """
    if fast:
        pytest.importorskip("isal")
    run = runner.run(
        f"""
        import sys, threading
        if not {fast}:
            sys.modules["isal"] = None
        import workload
        from ringamp.transport.compression import installed
        client = workload.begin(compression="gzip")
        ends = threading.Event()

        def pack():
            while not ends.is_set():
                next(iter(installed().values()))(bytes(500_000))

        thread = threading.Thread(target=pack)
        thread.start()

        def child(name):
            workload.log(client, name, 100)
            client.flush().result(30)
            workload.tell(who=name, saved=client.stats().bytes_saved)

        workload.log(client, "p", 100)
        codes = [workload.reap(workload.fork(child, f"c{{n}}"))
                 for n in range(4)]
        ends.set()
        thread.join()
        workload.tell(who="codes", codes=codes, known=list(installed()))
        client.shutdown()
        """,
        url=collector.url,
    )

    assert (run.code, run.err) == (0, "")
    assert run.the(who="codes")["codes"] == [0] * 4
    assert ("isal" in run.the(who="codes")["known"]) is fast
    assert collector.took_once(
        ("p", 100), *((f"c{number}", 100) for number in range(4))
    )
    assert all(run.the(who=f"c{n}")["saved"] > 0 for n in range(4))
