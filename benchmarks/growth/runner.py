# SPDX-License-Identifier: MIT
"""
A process that logs and delivers as many events as it is told, and says what
they cost. `benchmarks.growth.events` looks at it for ten million events.

Reads numbers from stdin, one a line, and prints a `Slice` for each.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.calls import go_around
from benchmarks.environment import ROOT
from benchmarks.growth.turns import delivered_cpu, encoder_cpu
from benchmarks.harness import check_delivered, make_client
from benchmarks.unanswered import resident
from benchmarks.workload import make_event

ENCODED = 10_000
"""Encodings after each slice: what the machine is like at the moment."""


class Slice(msgspec.Struct, frozen=True):
    """
    What some events cost.

    Attributes:
        cpu: Seconds of processor time of a delivered event.

        encoder: The same of the encoder, just after.

        resident: Bytes of memory after it; 0 where nobody tells.
    """

    cpu: float
    encoder: float
    resident: int


class Runner:
    """
    The process, as its parent sees it.

    Args:
        url: Where it sends to.
    """

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.growth.runner", url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def close(self) -> None:
        """
        End the process.
        """
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        # The end of its stdin is the child's sign to stop.
        self._process.wait()

    def log(self, events: int) -> Slice:
        """
        Have it log and deliver so many.

        Raises:
            RuntimeError: It failed; its words are on stderr.
        """
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the runner has no pipes")
        process.stdin.write(b"%d\n" % events)
        process.stdin.flush()
        said = process.stdout.readline()
        if not said:
            raise RuntimeError("the runner failed; its words are on stderr")
        return msgspec.json.decode(said, type=Slice)


def log_slice(client: Any, event: dict[str, Any], events: int) -> Slice:
    """
    Carry one order out.
    """
    cpu = delivered_cpu(client, event, events)
    check_delivered(client)
    told = Path("/proc/self/status").exists()
    return Slice(
        cpu, encoder_cpu(event, ENCODED), resident("VmRSS") if told else 0
    )


def main(url: str) -> None:
    """
    Serve orders until there are no more.
    """
    event = make_event()
    client = make_client("runner", url, on_full="block")
    # Once around the ring: its memory is there from the first slice on.
    go_around(client, event)
    for line in sys.stdin.buffer:
        found = log_slice(client, event, int(line))
        sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
        sys.stdout.buffer.flush()
    client.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
