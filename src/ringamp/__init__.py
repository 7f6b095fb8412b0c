# SPDX-License-Identifier: MIT
"""
Send analytics events from servers to Amplitude, from any number of forked
workers, without slowing a request and without losing an event quietly.

    import ringamp

    client = ringamp.init("API_KEY")
    client.log_event({"event_type": "Checkout", "user_id": "datamonster"})
"""

from __future__ import annotations

from importlib import metadata as _metadata

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
from ringamp.retry import BaseRetry, NoRetry, OfflineRetry, OrderedRetry
from ringamp.status import Response, Status
from ringamp.transport import HTTPTransport, MemoryTransport

__version__ = _metadata.version("ringamp")

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
