# SPDX-License-Identifier: MIT
"""
The tests cannot reach other machines by mistake.
"""

from __future__ import annotations

import socket

import pytest

ELSEWHERE = "192.0.2.1"
"""An address for documents, which nobody has (RFC 5737)."""


def test_a_test_that_would_leave_this_machine_fails():
    """
    A port that happened to hold the digits which a test replaced in its URL
    once sent a request elsewhere.
    """
    with (
        socket.socket() as sock,
        pytest.raises(Exception, match="is not here"),
    ):
        sock.connect((ELSEWHERE, 80))
