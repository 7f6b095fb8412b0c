# SPDX-License-Identifier: MIT
"""
How a payload travels. One request at a time; never decides what happens next.
"""

from __future__ import annotations

from ringamp.transport.http import HTTPTransport
from ringamp.transport.memory import MemoryTransport

__all__ = ["HTTPTransport", "MemoryTransport"]
