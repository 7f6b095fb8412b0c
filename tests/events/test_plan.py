# SPDX-License-Identifier: MIT
"""
Tests of `Plan` and `IngestionMetadata`.
"""

from __future__ import annotations

import msgspec
import pytest

from ringamp.events.plan import IngestionMetadata, Plan


def test_wire_names():
    """
    Only *version_id* is spelled differently on the wire.
    """
    plan = Plan(branch="main", source="web", version="1", version_id="v")
    metadata = IngestionMetadata(source_name="segment", source_version="2")

    assert msgspec.to_builtins(plan) == {
        "branch": "main",
        "source": "web",
        "version": "1",
        "versionId": "v",
    }
    assert msgspec.to_builtins(metadata) == {
        "source_name": "segment",
        "source_version": "2",
    }


@pytest.mark.parametrize("kind", [Plan, IngestionMetadata])
def test_nothing_given_is_nothing_sent(kind):
    """
    A field that is not given is not on the wire.
    """
    assert msgspec.to_builtins(kind()) == {}


def test_frozen():
    """
    A plan shared by every event of an instance cannot be changed.
    """
    with pytest.raises(AttributeError):
        Plan().branch = "other"
