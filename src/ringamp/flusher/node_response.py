# SPDX-License-Identifier: MIT
"""
What a user's transport or retry class may answer instead of a `Response`: an
object or a mapping with the Node SDK's names.

    {"status": "success", "statusCode": 200, "body": {...}}

The names of this library are understood as well. A status that is not given
follows from the HTTP status.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ringamp.status import Response, Status
from ringamp.transport.classify import classify


def from_node(answer: object) -> Response | None:
    """
    Read *answer*; None where it is nothing of that kind.
    """
    read = _reader(answer)
    code = read("statusCode", "status_code")
    status = read("status")
    if not isinstance(code, int) or isinstance(code, bool):
        code = 0
    if status is None and code:
        status = classify(code).status
    try:
        status = Status(status)
    except ValueError:
        return None
    if status is Status.SUCCESS and not code:
        # Too little to call an event delivered.
        return None
    body = read("body")
    return Response(
        status,
        code,
        _snake(body) if isinstance(body, Mapping) else None,
        _text(read("error")),
    )


def _reader(answer: object) -> Callable[..., Any]:
    def read(*names: str) -> Any:
        for name in names:
            if isinstance(answer, Mapping):
                found = answer.get(name)
            else:
                found = getattr(answer, name, None)
            if found is not None:
                return found
        return None

    return read


def _snake(body: Mapping[Any, Any]) -> dict[str, Any]:
    """
    Spell the names of *body* as the service does; Node's SDK spells them
    anew. What is below them are the events' own fields.
    """
    return {
        re.sub(r"(?<=[a-z])([A-Z])", r"_\1", str(name)).lower(): value
        for name, value in body.items()
    }


def _text(error: Any) -> str | None:
    return None if error is None else str(error)
