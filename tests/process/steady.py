# SPDX-License-Identifier: MIT
"""
A program that logs at a steady rate until it is told to end, and what a test
knows of it.

What `log_event` accepted and refused it writes into a file that it maps, so
that the test knows it although the program was killed.
"""

from __future__ import annotations

import json
import mmap
import select
import signal
import struct
import sys
import time
from pathlib import Path

import runner
import workload

TICK = 0.002


class Steady:
    """
    The program that logs, and what it logged so far.

    Args:
        directory: For the file of its counts.

        name: Of its events.

        rate: Events a second.

        url: The collector's.

        **options: Of its client.
    """

    def __init__(self, directory, name, rate, url, **options):
        self._counts = directory / f"{name}.counts"
        self._counts.write_bytes(bytes(16))
        self.program = runner.start(
            Path(__file__),
            *(name, rate, self._counts, json.dumps(options)),
            url=url,
            stdin=True,
        )

    @property
    def accepted(self):
        """
        How many events its receipts said were queued.
        """
        return struct.unpack("=QQ", self._counts.read_bytes())[0]

    @property
    def refused(self):
        """
        How many events found no room.
        """
        return struct.unpack("=QQ", self._counts.read_bytes())[1]

    def end(self, patience=30):
        """
        Have it shut down; return what it tells.
        """
        self.program.say(patience)
        run = self.program.wait(patience + 30)
        assert (run.code, run.hung, run.err) == (0, False, "")
        return run.the()

    def kill(self):
        """
        Kill it.
        """
        self.program.process.send_signal(signal.SIGKILL)
        assert self.program.wait(30).code == -signal.SIGKILL


def in_memory():
    """
    Return the bytes this process has for itself or mapped of a tmpfs.
    """
    return 1024 * sum(
        int(line.split()[1])
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith(("RssAnon:", "RssShmem:"))
    )


def mapped(path):
    """
    Map the file of the counts.
    """
    with Path(path).open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 16)).cast("Q")


def main(name, rate, path, options):
    """
    Log until stdin has a line: how long the shutdown may take, in seconds.
    """
    client = workload.begin(**options)
    counts = mapped(path)
    workload.log(client, name, 1)[0].result(workload.HANG)
    counts[0] = accepted = 1
    refused, longest = 0, 0.0
    idle = peak = in_memory()
    begin = time.monotonic()
    while not select.select([sys.stdin], [], [], 0)[0]:
        due = int((time.monotonic() - begin) * rate) - accepted - refused
        for _ in range(due):
            one = workload.event(f"{name}-{accepted}")
            before = time.perf_counter()
            receipt = client.log_event(one)
            longest = max(longest, time.perf_counter() - before)
            if receipt.status == "queued":
                accepted += 1
                counts[0] = accepted
            else:
                refused += 1
                counts[1] = refused
        peak = max(peak, in_memory())
        time.sleep(TICK)
    stats = client.stats()
    client.shutdown(float(sys.stdin.readline()))
    workload.tell(
        accepted=accepted,
        refused=refused,
        longest=longest,
        idle=idle,
        peak=max(peak, in_memory()),
        dropped_before=stats.dropped,
        recovered=client.stats().recovered,
        recovered_dropped=client.stats().recovered_dropped,
        stats=workload.counts(client),
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4]))
