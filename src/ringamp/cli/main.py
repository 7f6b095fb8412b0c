# SPDX-License-Identifier: MIT
"""
The command `ringamp`: a table of commands, joined into one Typer app.

A command is a function in a module of its own, and one line in `COMMANDS`.
Its module is imported only when the command line is used, and takes what an
extra provides inside the function, so that help works without it.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

from ringamp import __version__

if TYPE_CHECKING:
    import typer

COMMANDS = {
    "collector": "ringamp.cli.collector:collector",
    "demo": "ringamp.cli.demo:demo",
    "relay": "ringamp.cli.relay:relay",
}
"""Each command and the function that it is."""

EXTRAS = {
    "typer": "cli",
    "rich": "cli",
    "starlette": "collector",
    "uvicorn": "collector",
}
"""The extra that brings a module we may miss."""


def build() -> typer.Typer:
    """
    Return the app with all commands.
    """
    import typer  # noqa: PLC0415 - an extra; `main` says which.

    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_show_locals=False,
    )
    app.callback()(ringamp)
    for name, where in COMMANDS.items():
        module, _, function = where.partition(":")
        app.command(name)(getattr(importlib.import_module(module), function))
    return app


def ringamp() -> None:
    """
    Send analytics events to Amplitude, and try that on this machine.
    """


def version() -> str:
    """
    Return the version that is installed.
    """
    return __version__


def main() -> None:
    """
    Run the command line, or say which extra it needs.
    """
    if sys.argv[1:] == ["--version"]:
        print(version())
        return
    try:
        build()()
    except ModuleNotFoundError as missing:
        extra = EXTRAS.get((missing.name or "").partition(".")[0])
        if extra is None:
            raise
        sys.exit(
            f"ringamp: this needs {missing.name}: "
            f"pip install 'ringamp[{extra}]'"
        )
