# SPDX-License-Identifier: MIT
"""
`ringamp relay`: send what many workers have written into their spool.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections import deque
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler
from rich.text import Text

from ringamp.errors import OptionsError, SpoolError
from ringamp.options import Options
from ringamp.relay import Progress, RelayAgent

REFRESH_SECONDS = 0.25
LINE_SECONDS = 60.0
"""Seconds between two lines where stdout is no terminal."""

RATE_SECONDS = 5.0
"""Seconds over which events a second are taken."""

KEY_VARIABLE = "RINGAMP_API_KEY"
USAGE = 2
"""The exit code of a command line that cannot be."""


def relay(
    *,
    spool_dir: Annotated[
        str,
        typer.Option(
            help="The workers' option spool_dir: a directory, which is made "
            "if it is missing, or auto.",
            show_default=False,
        ),
    ],
    api_key_file: Annotated[
        Path | None,
        typer.Option(help="A file that holds the API key and nothing else."),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            help="The API key, where there is neither a file nor the variable "
            f"{KEY_VARIABLE}. Every user of this machine can read a command "
            "line: rather give it in one of those.",
            show_default=False,
        ),
    ] = None,
    server_url: Annotated[
        str | None,
        typer.Option(help="The workers' option server_url."),
    ] = None,
    server_zone: Annotated[
        str, typer.Option(help="The workers' option server_zone: US or EU.")
    ] = "US",
    batch: Annotated[
        bool, typer.Option("--batch", help="The workers' option use_batch.")
    ] = False,
    once: Annotated[
        bool,
        typer.Option(
            "--once",
            help="Send what is in the spool, then exit: with 0 if nothing is "
            "left, else with 1.",
        ),
    ] = False,
    drain_seconds: Annotated[
        float,
        typer.Option(
            min=0,
            help="Seconds to go on sending after SIGTERM or Ctrl-C, for a "
            "spool that is removed with the machine. A second signal ends "
            "it at once.",
        ),
    ] = 0.0,
    request_timeout_millis: Annotated[
        float, typer.Option(help="How long one request may take.")
    ] = 10_000,
    retry_timeouts: Annotated[
        str | None,
        typer.Option(
            help="Milliseconds before each retry, with commas between them.",
            show_default=False,
        ),
    ] = None,
    max_spool_bytes: Annotated[
        int,
        typer.Option(help="Bytes for backlog and dead letters."),
    ] = 2**30,
    compression: Annotated[
        str | None,
        typer.Option(
            help="gzip: compress request bodies.", show_default=False
        ),
    ] = None,
) -> None:
    """
    Send what workers with delivery="relay" have logged, and what processes
    that died have left.

    Events of another API key or URL are never touched, so the options must
    say the same as the workers'.
    """
    key = _find_key(api_key_file, api_key)
    retries = {} if retry_timeouts is None else _retries(retry_timeouts)
    agent = _make_agent(
        key,
        **retries,
        spool_dir=spool_dir,
        server_url=server_url,
        server_zone=server_zone,
        use_batch=batch,
        request_timeout_millis=request_timeout_millis,
        max_spool_bytes=max_spool_bytes,
        compression=compression,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: agent.stop(drain_seconds))
    is_all_sent = _run(agent, once=once)
    if once and not is_all_sent:
        raise typer.Exit(1)


def _find_key(file: Path | None, argument: str | None) -> str:
    """
    Take the key from the first place that has one.
    """
    if file is not None:
        try:
            return file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            what = getattr(error, "strerror", None) or "is no text"
            raise _refuse(f"--api-key-file {file}: {what}") from None
    key = os.environ.get(KEY_VARIABLE) or argument
    if not key:
        raise _refuse(
            "no API key: give --api-key-file, or the environment variable "
            f"{KEY_VARIABLE}"
        )
    return key


def _retries(words: str) -> dict[str, list[float]]:
    """
    Read the option of that name.
    """
    try:
        numbers = [float(word) for word in words.split(",") if word.strip()]
    except ValueError:
        raise _refuse(
            f"--retry-timeouts {words}: allowed is numbers with commas "
            "between them"
        ) from None
    return {"retry_timeouts": numbers}


def _make_agent(key: str, **options: Any) -> RelayAgent:
    """
    Make the agent, or say why it cannot be.
    """
    try:
        return RelayAgent(key, Options.build(options))
    except OptionsError as error:
        raise _refuse(str(error)) from None
    except (OSError, SpoolError) as error:
        raise _refuse(f"cannot use the spool directory: {error}") from None


def _refuse(words: str) -> typer.Exit:
    Console(stderr=True).print(
        f"ringamp relay: {words}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return typer.Exit(USAGE)


def _run(agent: RelayAgent, *, once: bool) -> bool:
    """
    Run the agent and show where it is: live on a terminal, else a line a
    minute.
    """
    console = Console()
    line = Line(agent)
    if console.is_terminal:
        _log_to(RichHandler(console=console, show_path=False))
        with Live(
            get_renderable=line.text,
            console=console,
            refresh_per_second=1 / REFRESH_SECONDS,
        ):
            return agent.run(once=once)
    _log_to(logging.StreamHandler())
    minute = Minute(line, LINE_SECONDS if once else 0.0)
    try:
        return agent.run(once=once, tell=minute.tell)
    finally:
        minute.write()


def _log_to(handler: logging.Handler) -> None:
    """
    Show warnings and errors of ringamp.
    """
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    )
    logging.getLogger("ringamp").addHandler(handler)


class Line:
    """
    Where a relay is, as one line.

    Args:
        agent: The relay.
    """

    def __init__(self, agent: RelayAgent) -> None:
        self._agent = agent
        self._seen: deque[tuple[float, int]] = deque()

    def text(self) -> Text:
        """
        The line of this moment.
        """
        progress = self._agent.progress()
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append("  ".join(_parts(progress, self._rate(progress))))
        if progress.is_out:
            text.append("  the service cannot be reached", style="bold red")
        return text

    def _rate(self, progress: Progress) -> float:
        """
        Events a second of the last moments.
        """
        now = time.monotonic()
        seen = self._seen
        seen.append((now, progress.delivered))
        while len(seen) > 2 and seen[0][0] < now - RATE_SECONDS:
            seen.popleft()
        begin, count = seen[0]
        return (progress.delivered - count) / max(now - begin, 1e-9)


def _parts(progress: Progress, rate: float) -> list[str]:
    """
    Say what there is to say; what is zero and rare is left out.
    """
    parts = [
        f"{progress.living} living rings",
        f"{progress.dead} adopted",
        f"{progress.delivered:,} events sent",
        f"{rate:,.0f} events/s",
        f"backlog {progress.backlog_bytes:,} bytes",
    ]
    for name in ("rejected", "dropped", "quarantined"):
        count = getattr(progress, name)
        if count:
            parts.append(f"{count:,} {name}")
    return parts


class Minute:
    """
    Writes a line now and then.

    Args:
        line: What to write.

        delay: Seconds until the first time.
    """

    def __init__(self, line: Line, delay: float) -> None:
        self._line = line
        self._due = time.monotonic() + delay

    def tell(self) -> None:
        """
        Write the line if it is time.
        """
        now = time.monotonic()
        if now >= self._due:
            self._due = now + LINE_SECONDS
            self.write()

    def write(self) -> None:
        """
        Write the line.
        """
        print(self._line.text().plain, flush=True)
