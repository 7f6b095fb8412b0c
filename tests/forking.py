# SPDX-License-Identifier: MIT
"""
A fork of the process that runs the tests.

Where tests run side by side that process has a thread beside them, of which
newer Pythons warn. The warning is an error here, and it would be raised in the
parent when the child is there already, and goes on as if it were the runner.
"""

from __future__ import annotations

import os
import warnings


def fork():
    """
    Fork, as `os.fork` does. The child must end by `os._exit`.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This process", DeprecationWarning)
        return os.fork()
