# SPDX-License-Identifier: MIT
"""
Send analytics events from servers to Amplitude, from any number of forked
workers, without slowing a request and without losing an event quietly.

    import ringamp

    client = ringamp.init("API_KEY")
    client.log_event({"event_type": "Checkout", "user_id": "datamonster"})
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ringamp import version as _version
from ringamp.client import Client
from ringamp.counters import Stats
from ringamp.errors import (
    InvalidEventError,
    NativeError,
    OptionsError,
    RingampError,
)
from ringamp.events import (
    Event,
    Identify,
    IngestionMetadata,
    Plan,
    Revenue,
)
from ringamp.flusher.receipt import Receipt
from ringamp.options import LogLevel, Options
from ringamp.protocols import (
    Middleware,
    MiddlewareNext,
    MiddlewarePayload,
    Payload,
    Retry,
    Transport,
)
from ringamp.registry import (
    get_instance,
    getInstance,
    init,
    postfork,
    shutdown_all,
)
from ringamp.status import Response, Status

if TYPE_CHECKING:
    from ringamp.retry import BaseRetry, NoRetry, OfflineRetry, OrderedRetry
    from ringamp.transport import HTTPTransport, MemoryTransport

__version__ = _version.VERSION

__all__ = [
    "BaseRetry",
    "Client",
    "Event",
    "HTTPTransport",
    "Identify",
    "IngestionMetadata",
    "InvalidEventError",
    "LogLevel",
    "MemoryTransport",
    "Middleware",
    "MiddlewareNext",
    "MiddlewarePayload",
    "NativeError",
    "NoRetry",
    "OfflineRetry",
    "Options",
    "OptionsError",
    "OrderedRetry",
    "Payload",
    "Plan",
    "Receipt",
    "Response",
    "Retry",
    "Revenue",
    "RingampError",
    "Stats",
    "Status",
    "Transport",
    "getInstance",
    "get_instance",
    "init",
    "postfork",
    "shutdown_all",
]

_LATER = {
    "BaseRetry": "ringamp.retry",
    "HTTPTransport": "ringamp.transport",
    "MemoryTransport": "ringamp.transport",
    "NoRetry": "ringamp.retry",
    "OfflineRetry": "ringamp.retry",
    "OrderedRetry": "ringamp.retry",
}
"""What is imported when it is asked for, or by the first `init`: most programs
never name these."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_LATER[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
