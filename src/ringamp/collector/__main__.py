# SPDX-License-Identifier: MIT
"""
`python -m ringamp.collector`: the collector without the command line's extra.

Prints one line of JSON with its URLs when it is ready, and runs until it gets
SIGINT or SIGTERM. With `--child` it takes its options as one line of JSON on
stdin, and ends when stdin does or when its parent is gone: a pipe alone does
not tell, as every fork of the parent holds it open.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import selectors
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from ringamp.collector.server import Collector
from ringamp.collector.settings import LENIENT, Settings

PARENT_SECONDS = 0.5

COUNTING = (
    "count only, for benchmarks: no rule of the service is checked and no "
    "event is read or kept, so that keys, limits, throttling and the events "
    "of the control paths mean nothing"
)


def build_parser() -> argparse.ArgumentParser:
    """
    Return what reads the command line.
    """
    parser = argparse.ArgumentParser(
        "python -m ringamp.collector", description="A local Amplitude."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        help="a name it goes by, beside localhost and its addresses",
    )
    parser.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        help="a page that may post events, such as http://localhost:3000",
    )
    parser.add_argument("--counting", action="store_true", help=COUNTING)
    parser.add_argument(
        "--lenient", action="store_true", help="no limits, no throttling"
    )
    parser.add_argument(
        "--short-ids",
        choices=("refuse", "remove"),
        help="what becomes of a short id; else as each path has it",
    )
    parser.add_argument(
        "--latency", type=float, default=0, help="milliseconds an answer"
    )
    parser.add_argument("--seed", type=int, help="of faults by chance")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser


def options_of(given: argparse.Namespace) -> dict[str, Any]:
    """
    Return the arguments of the `Collector` to run.
    """
    if given.child:
        options = msgspec.json.decode(sys.stdin.buffer.readline())
        if options["settings"] is not None:
            options["settings"] = msgspec.convert(
                options["settings"], Settings
            )
        return dict(options)
    settings = LENIENT if given.lenient else Settings()
    if given.short_ids is not None:
        settings = settings.with_short_ids(given.short_ids)
    return {
        "host": given.host,
        "port": given.port,
        "allow_hosts": given.allow_host,
        "allow_origins": given.allow_origin,
        "settings": settings,
        "latency_millis": given.latency,
        "counting": given.counting,
        "seed": given.seed,
    }


@contextlib.contextmanager
def signals() -> Iterator[socket.socket]:
    """
    Have SIGINT and SIGTERM make the socket readable, and do nothing else.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        signal.set_wakeup_fd(theirs.fileno())
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        yield ours
        signal.set_wakeup_fd(-1)


def wait(told: socket.socket, parent: int, *, child: bool) -> None:
    """
    Return when *told* or, for a *child*, when its *parent* has gone.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(told, selectors.EVENT_READ)
        if child:
            selector.register(sys.stdin, selectors.EVENT_READ)
        while not selector.select(PARENT_SECONDS if child else None):
            if os.getppid() != parent:
                break


def say_ready(collector: Collector) -> None:
    """
    Print the URLs as one line of JSON.
    """
    ready = {
        "url": collector.url,
        "batch_url": collector.batch_url,
        "base_url": collector.base_url,
    }
    sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
    sys.stdout.flush()


def main() -> None:
    """
    Run a collector until told to end.
    """
    parser = build_parser()
    given = parser.parse_args()
    # Before the parent learns that we are ready: it may be killed right then.
    parent = os.getppid()
    try:
        collector = Collector(**options_of(given))
    except ValueError as error:
        parser.error(str(error))
    with signals() as told:
        try:
            collector.start()
        except OSError as error:
            sys.exit(f"cannot listen on {collector.base_url}: {error}")
        try:
            say_ready(collector)
            wait(told, parent, child=given.child)
        finally:
            collector.stop()


if __name__ == "__main__":
    main()
