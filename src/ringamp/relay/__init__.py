# SPDX-License-Identifier: MIT
"""
The process that sends on behalf of others; never a part of the client.

Workers with `delivery="relay"` only write their rings. `RelayAgent` sends
what is in them: `ringamp relay` in a terminal, under systemd or beside the
workers' container.
"""

from __future__ import annotations

from ringamp.relay.agent import Progress, RelayAgent

__all__ = ["Progress", "RelayAgent"]
