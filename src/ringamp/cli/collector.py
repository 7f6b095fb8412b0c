# SPDX-License-Identifier: MIT
"""
`ringamp collector`: the local service in a terminal, with a line of counts.
"""

from __future__ import annotations

import signal
import threading
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

if TYPE_CHECKING:
    from ringamp.collector import Collector, Settings, Summary

REFRESH_SECONDS = 0.25

MAX_PORT = 65_535

SHOWN_LOSSES = 20
"""How many are told as they come: there may be one for each id."""

LOOPBACK = ("127.", "localhost", "::1")


class ShortIds(str, Enum):
    """
    What may become of an id that is too short.
    """

    REFUSE = "refuse"
    REMOVE = "remove"


def collector(
    *,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(min=0, max=MAX_PORT, help="0 takes any free port."),
    ] = 8088,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="A name that requests may ask for, beside localhost and the "
            "addresses it listens on: the name of its container, say. "
            "With a port, only that port."
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            help="A page whose browser may post events, such as "
            "http://localhost:3000, or * for every page. "
            "No page may read events or use the control paths."
        ),
    ] = None,
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
    short_ids: Annotated[
        ShortIds | None,
        typer.Option(
            help="Refuse an event with an id below min_id_length, or remove "
            "the id. Not given: HTTP V2 refuses, batch removes, and with "
            "--lenient both take it."
        ),
    ] = None,
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
        bool,
        typer.Option(
            help="Only count, as fast as can be: no rule of the service is "
            "checked and no event is read or kept. --strict, --throttle, "
            "--short-ids, --api-key and --first-error-only then do nothing, "
            "and the control paths know no events and no insert_ids."
        ),
    ] = False,
) -> None:
    """
    Run a local server that answers as Amplitude does, and count events.
    """
    from ringamp.collector import Collector  # noqa: PLC0415 - an extra.

    settings = _settings(
        strict=strict,
        throttle=throttle,
        short_ids=short_ids,
        api_keys=api_key or [],
        first_error_only=first_error_only,
    )
    try:
        server = Collector(
            port,
            host=host,
            allow_hosts=allow_host or (),
            allow_origins=allow_origin or (),
            settings=settings,
            latency_millis=latency,
            counting=counting,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    console = Console()
    told = _until_told()
    try:
        server.start()
    except OSError as error:
        console.print(
            f"cannot listen on {host}:{port}: {error.strerror}",
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(1) from None
    try:
        _introduce(console, server, host)
        _watch(console, server, told)
    finally:
        server.stop()


def _settings(
    *,
    strict: bool,
    throttle: bool,
    short_ids: ShortIds | None,
    api_keys: list[str],
    first_error_only: bool,
) -> Settings:
    """
    Return how strict the options want it to be.
    """
    import msgspec  # noqa: PLC0415 - the collector brings it.

    from ringamp.collector import LENIENT, Settings  # noqa: PLC0415 - an extra.

    if not all(api_keys):
        raise typer.BadParameter("an API key is never empty")
    settings = Settings() if strict else LENIENT
    if short_ids is not None:
        settings = settings.with_short_ids(short_ids.value)
    return msgspec.structs.replace(
        settings,
        throttle=strict and throttle,
        api_keys=frozenset(api_keys),
        first_error_only=first_error_only,
    )


def _introduce(console: Console, server: Collector, host: str) -> None:
    for name, url in (
        ("HTTP V2", server.url),
        ("batch", server.batch_url),
        ("control", server.base_url + "/_collector/summary"),
    ):
        console.print(f"{name:>8}  {url}", highlight=False, soft_wrap=True)
    if not host.startswith(LOOPBACK):
        console.print(
            "whoever reaches this address can read the events",
            highlight=False,
            soft_wrap=True,
        )


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
    Show the losses as they come, and the counts: live on a terminal, else
    once at the end.
    """
    shown = 0
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            while not told.wait(REFRESH_SECONDS):
                shown = _warn(console, server, shown)
                live.update(_line(server.ledger.summary()), refresh=True)
            live.update(_line(server.ledger.summary()), refresh=True)
    else:
        while not told.wait(REFRESH_SECONDS):
            shown = _warn(console, server, shown)
        _warn(console, server, shown)
        console.print(_line(server.ledger.summary()), soft_wrap=True)


def _warn(console: Console, server: Collector, shown: int) -> int:
    """
    Tell what the service drops silently, each once.

    Args:
        console: Where to.

        server: Asked for it.

        shown: How many were told already.

    Returns:
        How many are told now.
    """
    losses = server.ledger.losses()
    for loss in losses[shown:SHOWN_LOSSES]:
        # A Text, since what is in brackets in an id would be a style.
        console.print(Text(f"warning: {loss}"), soft_wrap=True)
    if shown <= SHOWN_LOSSES < len(losses):
        url = server.base_url + "/_collector/losses"
        console.print(Text(f"warning: and more; see {url}"), soft_wrap=True)
    # A reset may have emptied the list.
    return min(len(losses), SHOWN_LOSSES + 1)


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
