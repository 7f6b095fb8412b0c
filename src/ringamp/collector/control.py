# SPDX-License-Identifier: MIT
"""
The control endpoints, for other processes than the one that runs the server.

    GET    /_collector/summary      the counts
    GET    /_collector/requests     the newest requests
    GET    /_collector/events       the newest events; ?user_id= ?device_id=
    GET    /_collector/order        insert_ids of ?user_id= or ?device_id=
    GET    /_collector/insert_ids   those taken, one a line
    GET    /_collector/losses       what the service drops silently
    POST   /_collector/check        a list of insert_ids; missing, doubled
    POST   /_collector/faults       {"fault": {...}, "times", "probability"}
    DELETE /_collector/faults       forget the faults to come
    POST   /_collector/reset        forget everything

They are a table, and one function serves each of its rows, so that none can
go without the checks: what is posted is JSON of a bounded size, under its
content type; a name in a query that means nothing is refused, as it would do
nothing; and whatever cannot be read is a 400 that says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, Router

from ringamp.collector import wire
from ringamp.collector.faults import Faults
from ringamp.collector.gate import App
from ringamp.collector.ledger import Ledger
from ringamp.collector.plan import read_plan

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"

NO_ROOM = 1024
"""Bytes of a body where there is nothing to say."""

FAULT_ROOM = 1_000_000
CHECK_ROOM = 16_000_000

IDS = ("user_id", "device_id")


class Control:
    """
    The answers, each one question or order to the ledger or the faults.

    Args:
        ledger: Asked.

        faults: Told.

        reset: Makes the collector forget everything.
    """

    def __init__(
        self, ledger: Ledger, faults: Faults, reset: Callable[[], None]
    ) -> None:
        self.ledger = ledger
        self.faults = faults
        self.reset = reset


class Asked(NamedTuple):
    """
    What an endpoint is asked.
    """

    query: Mapping[str, str]
    body: bytes


Answering = Callable[[Control, Asked], Any]


class Endpoint(NamedTuple):
    """
    One row of the table.

    Attributes:
        method: How it is asked.

        path: Below `/_collector`.

        answering: What is answered: a text, what becomes JSON, or nothing.

        query: The names that a query may have.

        room: Bytes that the body may have.
    """

    method: str
    path: str
    answering: Answering
    query: tuple[str, ...] = ()
    room: int = NO_ROOM


def _order(control: Control, asked: Asked) -> list[str]:
    if len(asked.query) != 1:
        raise ValueError("order: ask by user_id or by device_id")
    return control.ledger.order(**asked.query)


def _insert_ids(control: Control, _: Asked) -> str:
    return "".join(f"{name}\n" for name in control.ledger.insert_ids())


def _check(control: Control, asked: Asked) -> Any:
    return control.ledger.check(
        msgspec.json.decode(asked.body, type=list[str])
    )


def _add_fault(control: Control, asked: Asked) -> None:
    plan = read_plan(asked.body)
    control.faults.add(plan.fault, plan.times, plan.probability)


def _reset(control: Control, asked: Asked) -> None:
    if asked.body.strip() not in (b"", b"{}"):
        raise ValueError("reset: there is nothing to say")
    control.reset()


ENDPOINTS = (
    Endpoint("GET", "/summary", lambda control, _: control.ledger.summary()),
    Endpoint("GET", "/requests", lambda control, _: control.ledger.requests()),
    Endpoint(
        "GET",
        "/events",
        lambda control, asked: control.ledger.events(**asked.query),
        query=IDS,
    ),
    Endpoint("GET", "/order", _order, query=IDS),
    Endpoint("GET", "/insert_ids", _insert_ids),
    Endpoint("GET", "/losses", lambda control, _: control.ledger.losses()),
    Endpoint("POST", "/check", _check, room=CHECK_ROOM),
    Endpoint("POST", "/faults", _add_fault, room=FAULT_ROOM),
    Endpoint("DELETE", "/faults", lambda control, _: control.faults.clear()),
    Endpoint("POST", "/reset", _reset),
)


class Unfit(Exception):  # noqa: N818 - an answer, not an error of ours.
    """
    A request that an endpoint does not take.

    Args:
        status: What it is answered.

        reason: Why.

        headers: Of the answer.
    """

    def __init__(
        self, status: int, reason: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers


def _serve(control: Control, endpoint: Endpoint) -> Route:
    """
    Return the route of one row of the table.
    """

    async def serve(request: Request) -> Response:
        try:
            asked = await _read(request, endpoint)
            return _reply(endpoint.answering(control, asked))
        except Unfit as unfit:
            return Response(
                f"{unfit}\n", unfit.status, unfit.headers, media_type=TEXT
            )
        # Of msgspec's own, one for bytes that are no text is a ValueError.
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            return Response(f"{error}\n", 400, media_type=TEXT)

    return Route(endpoint.path, serve, methods=[endpoint.method])


async def _read(request: Request, endpoint: Endpoint) -> Asked:
    """
    Return what an endpoint is asked by *request*.
    """
    # First of all, or who sends it may not hear what is wrong.
    read = await wire.read(request.receive, endpoint.room)
    if read is None:
        raise Unfit(400, "the request did not end")
    query = request.query_params
    for name in query:
        if name not in endpoint.query:
            allowed = ", ".join(endpoint.query) or "none"
            raise Unfit(400, f"unknown name {name!r}; allowed are: {allowed}")
    if len(query.multi_items()) > len(query):
        raise Unfit(400, "a name is given twice")
    if read.size > endpoint.room:
        raise Unfit(413, f"more than {endpoint.room:,} bytes", read.closing)
    if endpoint.method == "POST":
        _check_type(request.headers)
    return Asked(query, read.body)


def _check_type(headers: Headers) -> None:
    """
    Refuse a body that is not called JSON, or is packed.
    """
    kinds = headers.getlist("content-type")
    if [kind.partition(";")[0].strip().lower() for kind in kinds] != [JSON]:
        raise Unfit(400, f"the content type must be {JSON}")
    if "content-encoding" in headers:
        raise Unfit(400, "a packed body is not read here")


def _reply(answer: Any) -> Response:
    if answer is None:
        return Response(status_code=204)
    if isinstance(answer, str):
        return Response(answer, media_type=TEXT)
    return Response(msgspec.json.encode(answer), media_type=JSON)


def build_app(api: App, control: Control) -> Starlette:
    """
    Join the service's paths and the control endpoints.
    """
    routes = [_serve(control, endpoint) for endpoint in ENDPOINTS]
    # A slash too many is an error like any other, and no redirection.
    inner = Router(routes, redirect_slashes=False)
    app = Starlette(routes=[Mount("/_collector", inner), Mount("/", app=api)])
    app.router.redirect_slashes = False
    return app
