# SPDX-License-Identifier: MIT
"""
The program of `test_outage.py`: logs at a steady rate until it is told to
end.

What `log_event` accepted it writes into a file that it maps, so that the test
knows it although the program was killed.
"""

from __future__ import annotations

import json
import mmap
import select
import sys
import time
from pathlib import Path

import workload

TICK = 0.002


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
    Map the file of the count.
    """
    with Path(path).open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")


def main(name, rate, path, options):
    """
    Log until stdin has a line: how long the shutdown may take, in seconds.
    """
    client = workload.begin(**options)
    count = mapped(path)
    workload.log(client, name, 1)[0].result(workload.HANG)
    count[0] = accepted = 1
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
                count[0] = accepted
            else:
                refused += 1
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


main(sys.argv[1], int(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4]))
