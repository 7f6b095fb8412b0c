# SPDX-License-Identifier: MIT
"""
What the tests of the events share.
"""

from __future__ import annotations

import logging

import pytest

from ringamp import logs


@pytest.fixture
def lines(caplog, monkeypatch):
    """
    The log's lines so far, with the filter against repetition forgotten.
    """
    monkeypatch.setattr(logs, "_written", {})
    with caplog.at_level(logging.WARNING, logger="ringamp"):
        yield lambda: [record.getMessage() for record in caplog.records]
