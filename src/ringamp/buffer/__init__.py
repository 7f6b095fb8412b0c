# SPDX-License-Identifier: MIT
"""
Where records wait. Memory; never HTTP.
"""

from __future__ import annotations

from ringamp.buffer.batch import Batch, LazyEvents
from ringamp.buffer.ring import Ring

__all__ = ["Batch", "LazyEvents", "Ring"]
