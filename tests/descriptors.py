# SPDX-License-Identifier: MIT
"""
How many files this process has open.
"""

from __future__ import annotations

import gc
from pathlib import Path


def descriptors():
    """
    Count the descriptors that are open. Sockets that earlier tests have left
    to the collector are closed before, and not while others are counted.
    """
    gc.collect()
    return len([*Path("/proc/self/fd").iterdir()])
