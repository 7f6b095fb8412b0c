# SPDX-License-Identifier: MIT
"""
`Ids`: whom an event is about.
"""

from __future__ import annotations

from typing import NamedTuple


class Ids(NamedTuple):
    """
    The two ids of an event; None where it has no such id.
    """

    user_id: str | None
    device_id: str | None
