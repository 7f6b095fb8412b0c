# SPDX-License-Identifier: MIT
"""
The collector in another process, so that what is measured has the
interpreter to itself.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import urllib.parse
from collections.abc import Iterable, Iterator
from typing import Any, final

import msgspec

from ringamp.collector.control import CHECK_ROOM, JSON
from ringamp.collector.fault import Fault
from ringamp.collector.ledger import Check, Note, Summary
from ringamp.collector.losses import Loss
from ringamp.collector.settings import BATCH_PATH, HTTP_V2_PATH, Settings

START_SECONDS = 30
STOP_SECONDS = 5


@final
class CollectorProcess:
    """
    A `Collector` in a process that ends with this one, however that ends.

        with CollectorProcess(counting=True) as collector:
            post_to(collector.url)
            print(collector.summary())

    Only the process that started it ends it: a fork of that process may leave
    the block unharmed.

    Args:
        port: 0: any free one.

        allow_hosts: Further names it goes by, as of the `Collector`.

        allow_origins: Pages that may post to the service's paths.

        settings: How strict to be.

        latency_millis: Milliseconds before each answer.

        counting: Count only.

        keep_events: How many of the newest events to keep whole.

        keep_insert_ids: How many insert_ids to keep in order.

        seed: Of the faults played by chance.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        allow_hosts: Iterable[str] = (),
        allow_origins: Iterable[str] = (),
        settings: Settings | None = None,
        latency_millis: float = 0.0,
        counting: bool = False,
        keep_events: int = 10_000,
        keep_insert_ids: int = 5_000_000,
        seed: int | None = None,
    ) -> None:
        self._given = msgspec.json.encode(
            {
                "port": port,
                "allow_hosts": list(allow_hosts),
                "allow_origins": list(allow_origins),
                "settings": settings,
                "latency_millis": latency_millis,
                "counting": counting,
                "keep_events": keep_events,
                "keep_insert_ids": keep_insert_ids,
                "seed": seed,
            }
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self.base_url = ""

    def __repr__(self) -> str:
        return f"CollectorProcess({self.base_url!r})"

    def __enter__(self) -> CollectorProcess:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """
        The URL of the HTTP V2 API.
        """
        return self.base_url + HTTP_V2_PATH

    @property
    def batch_url(self) -> str:
        """
        The URL of the batch API.
        """
        return self.base_url + BATCH_PATH

    @property
    def pid(self) -> int:
        """
        The process id.
        """
        return self._running().pid

    def start(self) -> None:
        """
        Start the process; return when it listens.

        Raises:
            RuntimeError: It did not come up; its words are on stderr.
        """
        self._owner = os.getpid()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ringamp.collector", "--child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        process = self._process
        assert process.stdin is not None  # noqa: S101 - asked for above.
        assert process.stdout is not None  # noqa: S101
        try:
            process.stdin.write(self._given + b"\n")
            process.stdin.flush()
            ready = msgspec.json.decode(process.stdout.readline())
        except (OSError, msgspec.DecodeError):
            self.stop()
            raise RuntimeError("the collector did not start") from None
        self.base_url = ready["base_url"]

    def stop(self) -> None:
        """
        End the process. May be called twice.
        """
        process = self._process
        if process is None or os.getpid() != self._owner:
            return
        self._process = None
        # The end of its stdin is the child's sign to stop.
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def summary(self) -> Summary:
        """
        Return the counts.
        """
        return msgspec.json.decode(self._ask("GET", "summary"), type=Summary)

    def requests(self) -> list[Note]:
        """
        Return the newest requests, oldest first.
        """
        return msgspec.json.decode(
            self._ask("GET", "requests"), type=list[Note]
        )

    def events(self, user_id: str) -> list[dict[str, Any]]:
        """
        Return the newest events of one user, in the order of arrival.
        """
        query = urllib.parse.urlencode({"user_id": user_id})
        return msgspec.json.decode(
            self._ask("GET", f"events?{query}"), type=list[dict[str, Any]]
        )

    def insert_ids(self) -> list[str]:
        """
        Return the insert_ids taken, in the order of their first arrival.
        """
        return self._ask("GET", "insert_ids").decode().splitlines()

    def check(self, insert_ids: Iterable[str]) -> Check:
        """
        Ask whether each of *insert_ids* was taken exactly once.
        """
        found = [
            msgspec.json.decode(
                self._ask("POST", "check", msgspec.json.encode(asked)),
                type=Check,
            )
            for asked in _portions(insert_ids, CHECK_ROOM // 2)
        ]
        return Check(
            [name for check in found for name in check.missing],
            [name for check in found for name in check.doubled],
        )

    def losses(self) -> list[Loss]:
        """
        Return what the service drops silently, in the order of arrival.
        """
        return msgspec.json.decode(self._ask("GET", "losses"), type=list[Loss])

    def add_fault(
        self,
        fault: Fault,
        times: int | None = 1,
        probability: float | None = None,
    ) -> None:
        """
        Plan *fault*, as `Faults.add` does.
        """
        plan = {"fault": fault, "times": times, "probability": probability}
        self._ask("POST", "faults", msgspec.json.encode(plan))

    def clear_faults(self) -> None:
        """
        Forget the faults to come.
        """
        self._ask("DELETE", "faults")

    def reset(self) -> None:
        """
        Forget what arrived, the service's memory, and the faults to come.
        """
        self._ask("POST", "reset")

    def _running(self) -> subprocess.Popen[Any]:
        if self._process is None:
            raise RuntimeError("the collector does not run")
        return self._process

    def _ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        self._running()
        address = self.base_url.removeprefix("http://")
        connection = http.client.HTTPConnection(address, timeout=30)
        try:
            connection.request(
                method, f"/_collector/{path}", body, {"content-type": JSON}
            )
            response = connection.getresponse()
            said = response.read()
        finally:
            connection.close()
        if response.status >= 300:
            raise ValueError(said.decode().strip())
        return said


def _portions(names: Iterable[str], room: int) -> Iterator[list[str]]:
    """
    Part *names* into lists that are less than *room* bytes of JSON each.
    """
    portion: list[str] = []
    left = room
    for name in names:
        # A character is at most six bytes of JSON, escaped.
        size = 6 * len(name) + 3
        if portion and size > left:
            yield portion
            portion, left = [], room
        portion.append(name)
        left -= size
    if portion:
        yield portion
