# SPDX-License-Identifier: MIT
"""
A daemon, which forks and closes all descriptors that it has inherited.
"""

from __future__ import annotations

import pytest
import runner

pytestmark = pytest.mark.process


@pytest.mark.parametrize("opens", [0, 40])
@pytest.mark.parametrize("has_spool", [False, True])
def test_a_daemon_keeps_its_own_files(collector, spool, has_spool, opens):
    """
    Its events arrive, all of them, and what it has opened under the numbers
    of descriptors that were ringamp's is not closed.
    """
    run = runner.run(
        f"""
        import os, tempfile, workload
        client = workload.begin()
        workload.log(client, "p", 5)[0].result(30)

        def daemon():
            os.setsid()
            os.closerange(3, 256)
            files = [tempfile.TemporaryFile() for _ in range({opens})]
            inodes = [os.fstat(file.fileno()).st_ino for file in files]
            receipts = workload.log(client, "c", 5)
            client.shutdown()
            for file, inode in zip(files, inodes):
                assert os.fstat(file.fileno()).st_ino == inode
            workload.tell(receipts=[str(each.result(0).status)
                                    for each in receipts])

        assert workload.reap(workload.fork(daemon)) == 0
        workload.log(client, "q", 5)
        """,
        url=collector.url,
        RINGAMP_TEST_OPTIONS=spool.env() if has_spool else "{}",
    )

    assert (run.code, run.hung, run.err) == (0, False, "")
    assert run.told == [{"receipts": ["success"] * 5}]
    assert collector.took_once(("p", 5), ("c", 5), ("q", 5))
    assert spool.files() == []
