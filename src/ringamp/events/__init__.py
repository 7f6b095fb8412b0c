# SPDX-License-Identifier: MIT
"""
The words an application says. Values and their encoding; no clock, no
network, no client.
"""

from ringamp.events.event import Event
from ringamp.events.group_identify import (
    group_identify_event,
    set_group_event,
)
from ringamp.events.identify import Identify, identify_event
from ringamp.events.plan import IngestionMetadata, Plan
from ringamp.events.revenue import Revenue, revenue_event

__all__ = [
    "Event",
    "Identify",
    "IngestionMetadata",
    "Plan",
    "Revenue",
    "group_identify_event",
    "identify_event",
    "revenue_event",
    "set_group_event",
]
