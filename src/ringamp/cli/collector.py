# SPDX-License-Identifier: MIT
"""
`ringamp collector`: the local service in a terminal, with a line of counts.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

if TYPE_CHECKING:
    from ringamp.collector import Collector, Summary

REFRESH_SECONDS = 0.25


def collector(
    *,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes any free port.")] = 8088,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict/--lenient",
            help="Enforce the service's limits, or none of them.",
        ),
    ] = True,
    throttle: Annotated[
        bool,
        typer.Option(help="Limit events a second and a day for each id."),
    ] = True,
    api_key: Annotated[
        list[str] | None,
        typer.Option(help="A key to accept; without this option, any."),
    ] = None,
    latency: Annotated[
        float, typer.Option(min=0, help="Milliseconds before each answer.")
    ] = 0.0,
    first_error_only: Annotated[
        bool,
        typer.Option(help="Name only the first failing event of a field."),
    ] = False,
    counting: Annotated[
        bool, typer.Option(help="Only count, as fast as can be.")
    ] = False,
) -> None:
    """
    Run a local server that answers as Amplitude does, and count events.
    """
    from ringamp.collector import (  # noqa: PLC0415 - an extra of its own.
        LENIENT,
        Collector,
        Settings,
    )

    settings = Settings(
        http_v2=(Settings() if strict else LENIENT).http_v2,
        batch=(Settings() if strict else LENIENT).batch,
        throttle=strict and throttle,
        api_keys=frozenset(api_key or ()),
        first_error_only=first_error_only,
    )
    server = Collector(
        port,
        host=host,
        settings=settings,
        latency_millis=latency,
        counting=counting,
    )
    console = Console()
    told = _until_told()
    try:
        server.start()
    except OSError as error:
        console.print(f"cannot listen on {host}:{port}: {error.strerror}")
        raise typer.Exit(1) from None
    try:
        _introduce(console, server)
        _watch(console, server, told)
    finally:
        server.stop()


def _introduce(console: Console, server: Collector) -> None:
    for name, url in (
        ("HTTP V2", server.url),
        ("batch", server.batch_url),
        ("control", server.base_url + "/_collector/summary"),
    ):
        console.print(f"{name:>8}  {url}", highlight=False, soft_wrap=True)


def _until_told() -> threading.Event:
    """
    Return what is set by Ctrl-C or SIGTERM.
    """
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    return told


def _watch(console: Console, server: Collector, told: threading.Event) -> None:
    """
    Show the counts: live on a terminal, else once at the end.
    """
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            while not told.wait(REFRESH_SECONDS):
                live.update(_line(server.ledger.summary()), refresh=True)
            live.update(_line(server.ledger.summary()), refresh=True)
    else:
        told.wait()
        console.print(_line(server.ledger.summary()), soft_wrap=True)


def _line(summary: Summary) -> Text:
    """
    Return the counts as one line.
    """
    parts = [
        f"{summary.requests:,} requests",
        f"{summary.accepted:,} accepted",
        f"{summary.duplicates:,} duplicates",
        f"{summary.rejected:,} rejected",
        *(
            f"{status}: {count:,}"
            for status, count in sorted(summary.statuses.items())
        ),
    ]
    return Text("  ".join(parts), no_wrap=True, overflow="ellipsis")
