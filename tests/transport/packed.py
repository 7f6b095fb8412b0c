# SPDX-License-Identifier: MIT
"""
What the tests of compression send, and how they read what arrived.
"""

from __future__ import annotations

from ringamp.options import Options
from ringamp.transport.payload import Envelope

KEY = "0123456789abcdef0123456789abcdef"
GZIP = "gzip"
HTML = b"<html>Bad Request</html>"


def payload(url, events=40):
    """
    Make a request of some kilobytes.
    """
    return Envelope(KEY, Options.build(server_url=url)).payload(
        [{"event_type": "a", "user_id": f"user-{n}"} for n in range(events)]
        * 2
    )


def coding(server, number):
    """
    The coding that the head of a request names.
    """
    lines = server.requests[number][0].decode().lower().split("\r\n")
    named = [line for line in lines if line.startswith("content-encoding")]
    assert len(named) < 2
    return named[0].partition(": ")[2] if named else None


def codings(server):
    """
    The same of all requests.
    """
    return [coding(server, number) for number in range(len(server.requests))]


def warnings(caplog):
    """
    The lines about gzip.
    """
    return [line for line in caplog.messages if "gzip" in line]
