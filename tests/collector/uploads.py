# SPDX-License-Identifier: MIT
"""
Builders of uploads, for the tests of the collector's rules.
"""

import json

from ringamp.collector.bodies import FAMILIES
from ringamp.collector.reading import Request
from ringamp.collector.rules import answer
from ringamp.collector.settings import Settings
from ringamp.collector.state import State

NOW = 1_700_000_000.5
V2 = "/2/httpapi"
BATCH = "/batch"
INVALID, MISSING, LENGTHS, _ = FAMILIES


def request(upload, path=V2, method="POST", **headers):
    """
    Build a request; *upload* is bytes, or what becomes JSON.
    """
    body = upload
    if not isinstance(upload, bytes):
        body = json.dumps(upload).encode()
    told = {"content-type": "application/json"}
    told.update((name.replace("_", "-"), v) for name, v in headers.items())
    return Request(method, path, told, body, len(body))


def ask(*events, path=V2, settings=None, state=None, now=NOW, **upload):
    """
    Return the answer to an upload of *events*.
    """
    upload = {"api_key": "KEY", "events": list(events), **upload}
    settings = settings or Settings()
    return answer(request(upload, path), settings, state or State(), now)


def event(**fields):
    """
    Build an event that the service takes.
    """
    return {"event_type": "Checkout", "user_id": "alice", **fields}
