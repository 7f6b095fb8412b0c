# SPDX-License-Identifier: MIT
"""
A fault that another process plans: read strictly, refused with a reason.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import fields

from ringamp.collector.fault import Fault
from ringamp.collector.faults import check_odds


class Plan(msgspec.Struct, forbid_unknown_fields=True):
    """
    The body of a POST to `/_collector/faults`.

    Attributes:
        fault: What is to go wrong.

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
        ValueError: It is no plan, or one that would do nothing.
    """
    told = msgspec.json.decode(body)
    _check_names(told, Plan, "the plan")
    if isinstance(told, dict):
        _check_names(told.get("fault"), Fault, "fault")
    plan = msgspec.convert(told, Plan)
    check_odds(plan.times, plan.probability)
    if plan.fault == Fault():
        raise ValueError(f"fault: empty; {_allowed(Fault)}")
    return plan


def _check_names(told: Any, kind: type[msgspec.Struct], where: str) -> None:
    """
    Refuse a field that *kind* has not: misspelt, it would do nothing.
    """
    known = {field.name for field in fields(kind)}
    for name in told if isinstance(told, dict) else ():
        if name not in known:
            raise ValueError(
                f"{where}: unknown field {name!r}; {_allowed(kind)}"
            )


def _allowed(kind: type[msgspec.Struct]) -> str:
    names = ", ".join(field.name for field in fields(kind))
    return f"allowed are {names}"
