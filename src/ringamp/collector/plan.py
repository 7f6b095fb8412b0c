# SPDX-License-Identifier: MIT
"""
A fault that another process plans: read strictly, refused with a reason.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import fields

from ringamp.collector.fault import Fault


class Plan(msgspec.Struct, forbid_unknown_fields=True):
    """
    The body of a POST to `/_collector/faults`.

    Attributes:
        fault: What is to go wrong; {} has one request pass as usual.

        times: For how many requests; null: until it is cleared.

        probability: Of each request to meet it; null: it is queued.
    """

    fault: Fault
    times: int | None = 1
    probability: float | None = None


def read_plan(body: bytes) -> Plan:
    """
    Return the plan in *body*.

    Raises:
        ValueError: It is no plan, or some of it would do nothing.
    """
    told = msgspec.json.decode(body)
    _check_names(told, Plan, "the plan")
    if isinstance(told, dict):
        _check_names(told.get("fault"), Fault, "fault")
    return msgspec.convert(told, Plan)


def _check_names(told: Any, kind: type[msgspec.Struct], where: str) -> None:
    """
    Refuse a field that *kind* has not: misspelt, it would do nothing.
    """
    known = {field.name for field in fields(kind)}
    for name in told if isinstance(told, dict) else ():
        if name not in known:
            allowed = ", ".join(field.name for field in fields(kind))
            raise ValueError(
                f"{where}: unknown field {name!r}; allowed are {allowed}"
            )
