# SPDX-License-Identifier: MIT
"""
A stand-in for Amplitude on your desk; never a part of the client.

`Collector` runs in a thread of this process, `CollectorProcess` in a process
of its own, and `ringamp collector` in a terminal.
"""

from __future__ import annotations

try:
    import starlette as _starlette
    import uvicorn as _uvicorn
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"ringamp.collector needs {missing.name}: "
        "pip install 'ringamp[collector]'",
        name=missing.name,
    ) from None

from ringamp.collector.fault import Fault
from ringamp.collector.faults import Faults
from ringamp.collector.ledger import Check, Ledger, Note, Summary
from ringamp.collector.losses import Loss
from ringamp.collector.process import CollectorProcess
from ringamp.collector.server import Collector
from ringamp.collector.settings import (
    BATCH,
    GROUP_IDENTIFY,
    HTTP_V2,
    IDENTIFY,
    LENIENT,
    Limits,
    Settings,
)

del _starlette, _uvicorn

__all__ = [
    "BATCH",
    "GROUP_IDENTIFY",
    "HTTP_V2",
    "IDENTIFY",
    "LENIENT",
    "Check",
    "Collector",
    "CollectorProcess",
    "Fault",
    "Faults",
    "Ledger",
    "Limits",
    "Loss",
    "Note",
    "Settings",
    "Summary",
]
