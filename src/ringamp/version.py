# SPDX-License-Identifier: MIT
"""
The version, written once: pyproject.toml takes it from here. Asking the
installed package's metadata for it would cost a third of the whole import.
"""

from __future__ import annotations

VERSION = "0.1.0"
