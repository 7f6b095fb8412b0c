# SPDX-License-Identifier: MIT
"""
One use of every public name, as a user would write it. Never run: it is read
by `mypy --strict`, which fails when a signature loses its types.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import ringamp
from ringamp.relay import Progress, RelayAgent

version: str = ringamp.__version__

# -- Instances and options -------------------------------------------------

client: ringamp.Client = ringamp.init("API_KEY")
client = ringamp.init("API_KEY", {"serverUrl": "http://127.0.0.1:1"})
client = ringamp.init("API_KEY", upload_interval_in_sec=10)
client = ringamp.get_instance()
client = ringamp.getInstance("billing")
client = client.init("API_KEY", {"minIdLength": 1}, opt_out=False)
client.opt_out = True
is_out: bool = client.opt_out
client.optOut = is_out

options: ringamp.Options = client.options
options = client.get_options()
options = client.getOptions()
options = ringamp.Options.build({"logLevel": 1}, debug=True)
level: ringamp.LogLevel = options.log_level
level = ringamp.LogLevel.WARN
delays: tuple[float, ...] = options.retry_timeouts
url: str = options.url

ringamp.postfork()
client.postfork()


# -- Events ----------------------------------------------------------------

event = ringamp.Event(
    "Checkout",
    user_id="datamonster@gmail.com",
    time=1,
    price=9.99,
    groups={"company": ["acme"]},
    event_properties={"cart": {"items": 3}},
    plan=ringamp.Plan(branch="main", source="web", version="1"),
    ingestion_metadata=ringamp.IngestionMetadata(source_name="ampli"),
)
receipt: ringamp.Receipt = client.log_event(event)
receipt = client.log_event({"event_type": "Checkout", "user_id": "u"}, 1)
receipt = client.logEvent(event, extra={"trace": "1"})

operations: ringamp.Identify = (
    ringamp.Identify()
    .set("plan", "pro")
    .set_once("first", True)
    .add("visits", 1)
    .append("list", "a")
    .prepend("list", "b")
    .pre_insert("list", "c")
    .post_insert("list", "d")
    .remove("list", "e")
    .unset("old")
    .clear_all()
)
receipt = client.identify("datamonster@gmail.com", None, operations)
receipt = client.group_identify("company", "acme", operations)
receipt = client.groupIdentify("company", ["acme"], operations, user_id="u")
receipt = client.set_group("company", "acme", user_id="datamonster")
receipt = client.setGroup("company", ["acme", "other"], device_id="d")
receipt = client.revenue(
    ringamp.Revenue(price=9.99, quantity=2, product_id="p"),
    user_id="datamonster",
)


# -- Outcomes --------------------------------------------------------------

status: ringamp.Status = receipt.status
reason: str | None = receipt.reason
known: ringamp.Response | None = receipt.response
response: ringamp.Response = receipt.result(timeout=1.0)
code: int = response.status_code
body: dict[str, Any] | None = response.body
error: str | None = response.error
later: Future[ringamp.Response] = receipt.future()
flushed: Future[ringamp.Response] = client.flush()

stats: ringamp.Stats = client.stats()
delivered: int = stats.delivered + stats.pending


async def wait(pending: ringamp.Receipt) -> ringamp.Response:
    """
    Wait for an outcome without blocking the loop.
    """
    return await pending


awaited: ringamp.Response = asyncio.run(wait(receipt))


# -- Seams -----------------------------------------------------------------


def tag(
    payload: ringamp.MiddlewarePayload, go_on: ringamp.MiddlewareNext
) -> None:
    """
    Change an event on its way.
    """
    payload.event["language"] = str(payload.extra)
    go_on(payload)


middleware: ringamp.Middleware = tag
client = client.add_event_middleware(middleware)
client = client.remove_event_middleware(middleware)
counts: dict[str, int] = client.stats().to_dict()
client = client.addEventMiddleware(tag)
client = client.removeEventMiddleware(tag)


class Twice(ringamp.BaseRetry):
    """
    A retry class by inheritance.
    """

    def send_events_with_retry(
        self, events: Sequence[Mapping[str, Any]]
    ) -> ringamp.Response:
        """
        Try twice.
        """
        first = self.send_events(events)
        if first.status is ringamp.Status.SUCCESS:
            return first
        return self.send_events(events)


class Swallow:
    """
    A retry and a transport by structure alone.
    """

    def send_events_with_retry(
        self, events: Sequence[dict[str, Any]]
    ) -> ringamp.Response:
        """
        Pretend that all is well.
        """
        return ringamp.Response(ringamp.Status.SUCCESS, len(events))

    def send_payload(self, payload: ringamp.Payload) -> ringamp.Response:
        """
        Count what was given.
        """
        size = len(payload.body) + len(payload.events)
        return ringamp.Response(ringamp.Status.SUCCESS, size)


memory = ringamp.MemoryTransport([429, ringamp.Response(status)])
requests: list[list[dict[str, Any]]] = memory.requests
transport: ringamp.Transport = memory
transport = ringamp.HTTPTransport(options)
transport = Swallow()
retry: ringamp.Retry = Swallow()
policies = (
    ringamp.OrderedRetry(options),
    ringamp.OfflineRetry(options),
    ringamp.NoRetry(options),
)


def told(events: Sequence[dict[str, Any]], answer: ringamp.Response) -> None:
    """
    Hear of outcomes.
    """
    print(len(events), answer.status)


def again(answer: ringamp.Response, number: int, is_last: bool) -> bool:
    """
    Decide about a retry.
    """
    return not is_last and number < 3 and answer.error is not None


client = ringamp.init(
    "API_KEY",
    transport_class=transport,
    retry_class=retry,
    on_delivery=told,
    on_retry=again,
)


# -- The relay -------------------------------------------------------------

agent = RelayAgent("API_KEY", ringamp.Options.build(spool_dir="auto"))
progress: Progress = agent.progress()
rings: int = progress.living + progress.dead
agent.stop(patience=1.0)
is_all_sent: bool = agent.run(once=True, tell=lambda: None)


# -- Errors and the end ----------------------------------------------------

errors: tuple[type[ringamp.RingampError], ...] = (
    ringamp.OptionsError,
    ringamp.InvalidEventError,
    ringamp.NativeError,
)

client.shutdown()
client.shutdown(timeout=1.0)
ringamp.shutdown_all()
