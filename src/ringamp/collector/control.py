# SPDX-License-Identifier: MIT
"""
The control endpoints, for other processes than the one that runs the server.

    GET    /_collector/summary      the counts
    GET    /_collector/requests     the newest requests
    GET    /_collector/events       the newest events; ?user_id= ?device_id=
    GET    /_collector/order        insert_ids of ?user_id= or ?device_id=
    GET    /_collector/insert_ids   those taken, one a line
    POST   /_collector/check        insert_ids, one a line; missing, doubled
    POST   /_collector/faults       {"fault": {...}, "times", "probability"}
    DELETE /_collector/faults       forget the faults to come
    POST   /_collector/reset        forget everything
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from ringamp.collector.app import Api
from ringamp.collector.faults import Fault, Faults
from ringamp.collector.ledger import Ledger


class Plan(msgspec.Struct, forbid_unknown_fields=True):
    """
    The body of a POST to `/_collector/faults`.
    """

    fault: Fault
    times: int | None = 1
    probability: float | None = None


class Control:
    """
    The endpoints, each one question or order to the ledger or the faults.

    Args:
        ledger: Asked.

        faults: Told.

        reset: Makes the collector forget everything.
    """

    def __init__(
        self, ledger: Ledger, faults: Faults, reset: Callable[[], None]
    ) -> None:
        self._ledger = ledger
        self._faults = faults
        self._reset = reset

    def routes(self) -> list[Route]:
        """
        Return the routes below `/_collector`.
        """
        return [
            Route("/summary", self._summary),
            Route("/requests", self._requests),
            Route("/events", self._events),
            Route("/order", self._order),
            Route("/insert_ids", self._insert_ids),
            Route("/check", self._check, methods=["POST"]),
            Route("/faults", self._add_fault, methods=["POST"]),
            Route("/faults", self._clear_faults, methods=["DELETE"]),
            Route("/reset", self._forget, methods=["POST"]),
        ]

    async def _summary(self, _: Request) -> Response:
        return _json(self._ledger.summary())

    async def _requests(self, _: Request) -> Response:
        return _json(self._ledger.requests())

    async def _events(self, request: Request) -> Response:
        query = request.query_params
        return _json(
            self._ledger.events(query.get("user_id"), query.get("device_id"))
        )

    async def _order(self, request: Request) -> Response:
        query = request.query_params
        return _json(
            self._ledger.order(query.get("user_id"), query.get("device_id"))
        )

    async def _insert_ids(self, _: Request) -> Response:
        return PlainTextResponse(
            "".join(f"{name}\n" for name in self._ledger.insert_ids())
        )

    async def _check(self, request: Request) -> Response:
        asked = (await request.body()).decode()
        return _json(self._ledger.check(asked.splitlines()))

    async def _add_fault(self, request: Request) -> Response:
        try:
            plan = msgspec.json.decode(await request.body(), type=Plan)
            self._faults.add(plan.fault, plan.times, plan.probability)
        except (msgspec.MsgspecError, ValueError) as error:
            return PlainTextResponse(f"{error}\n", 400)
        return Response(status_code=204)

    async def _clear_faults(self, _: Request) -> Response:
        self._faults.clear()
        return Response(status_code=204)

    async def _forget(self, _: Request) -> Response:
        self._reset()
        return Response(status_code=204)


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


def build_app(api: Api, control: Control) -> Starlette:
    """
    Join the service's paths and the control endpoints.
    """
    return Starlette(
        routes=[
            Mount("/_collector", routes=control.routes()),
            Mount("/", app=api),
        ]
    )
