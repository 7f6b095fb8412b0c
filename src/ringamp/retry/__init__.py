# SPDX-License-Identifier: MIT
"""
What to do about a response. Answers only; never sleeps, sends or stores.
"""

from __future__ import annotations

from ringamp.retry.base import BaseRetry
from ringamp.retry.none import NoRetry
from ringamp.retry.offline import OfflineRetry
from ringamp.retry.ordered import OrderedRetry

__all__ = ["BaseRetry", "NoRetry", "OfflineRetry", "OrderedRetry"]
