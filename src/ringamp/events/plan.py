# SPDX-License-Identifier: MIT
"""
Where an event's definition comes from: `Plan` and `IngestionMetadata`.
"""

from __future__ import annotations

import msgspec


class Plan(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename={"version_id": "versionId"},
):
    """
    The tracking plan an event was written against.

    Attributes:
        branch: The plan's branch, for example "main".

        source: The plan's source, for example "web".

        version: The plan's version.

        version_id: The plan version's id; *versionId* on the wire.
    """

    branch: str | None = None
    source: str | None = None
    version: str | None = None
    version_id: str | None = None


class IngestionMetadata(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True
):
    """
    Which system an event came through before it was logged here.

    Attributes:
        source_name: The system's name.

        source_version: Its version.
    """

    source_name: str | None = None
    source_version: str | None = None
