# SPDX-License-Identifier: MIT
"""
The sink in its own process, and how much it can take.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from time import perf_counter
from typing import Any

from benchmarks.environment import ROOT

CAPACITY_REQUESTS = 1500
"""Requests that are timed, of each size."""

END_SECONDS = 10


class RunningSink:
    """
    A sink in another process.

    Args:
        port: Where it listens.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, path: str) -> Any:
        """
        Ask it something, over a connection of its own.
        """
        wire = HTTPConnection("127.0.0.1", self.port, timeout=END_SECONDS)
        try:
            wire.request("GET", path)
            return json.loads(wire.getresponse().read())
        finally:
            wire.close()

    def ledger(self) -> dict[str, list[str]]:
        """
        Which events came, with the ids of each arrival.
        """
        found: dict[str, list[str]] = self.ask("/ledger")
        return found


@contextmanager
def running_sink(*, keeps_ledger: bool = False) -> Iterator[RunningSink]:
    """
    Run a sink.

    Args:
        keeps_ledger: Whether it keeps what came, and does not only count.
    """
    command = [sys.executable, "-m", "benchmarks.peers.sink"]
    with subprocess.Popen(
        command + ["--ledger"] * keeps_ledger,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise RuntimeError("the sink failed; its words are on stderr")
        try:
            yield RunningSink(int(line))
        finally:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def capacity(
    event: dict[str, Any], sizes: tuple[int, ...] = (1, 100, 2000)
) -> dict[int, tuple[float, float]]:
    """
    How many requests and events a second the sink takes, by events a request.

    The bodies are built beforehand, and the answers are not looked at.
    """
    found = {}
    with running_sink() as sink:
        for size in sizes:
            requests = max(30, CAPACITY_REQUESTS // (1 + size // 100))
            seconds = time_posts(sink.port, event, size, requests)
            found[size] = (requests / seconds, requests * size / seconds)
    return found


def time_posts(
    port: int, event: dict[str, Any], size: int, requests: int
) -> float:
    """
    Post so many equal bodies over one connection, and time it.
    """
    body = json.dumps({"api_key": "BENCHMARK", "events": [event] * size})
    request = (
        "POST /2/httpapi HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        f"content-length: {len(body)}\r\n\r\n{body}"
    ).encode()
    with socket.create_connection(("127.0.0.1", port)) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = perf_counter()
        for _ in range(requests):
            wire.sendall(request)
            if not wire.recv(4096):
                raise RuntimeError("the sink closed the connection")
        return perf_counter() - began
