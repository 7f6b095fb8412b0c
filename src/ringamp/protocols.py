# SPDX-License-Identifier: MIT
"""
The seams a user may fill: transport, retry, middleware and two callbacks.

    seam          called on                     what may be raised
    Transport     a flusher's thread            anything: a SystemError answer
    Retry         a flusher's thread            anything: the batch is dropped
    OnRetry       a flusher's thread            anything: logged, retry goes on
    OnDelivery    a flusher's thread            anything: logged
    Middleware    the thread that logs          anything: the event is INVALID

At exit the flusher's work is done by the thread that exits. No lock of
ringamp is held while any of these runs, so each may log events itself; it
must not wait for their outcome, since it is the one that is being waited for.
Protocols are structural: nothing needs to be inherited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, cast

import msgspec

from ringamp.status import Response


class Payload(Protocol):
    """
    One request as a custom transport sees it.
    """

    @property
    def url(self) -> str:
        """
        Where it goes.
        """

    @property
    def body(self) -> bytes | bytearray | memoryview:
        """
        The JSON, ready to send; for a transport of the user's always bytes.

        The API key is in it: never log it.
        """

    @property
    def headers(self) -> Mapping[str, str]:
        """
        What goes with the body.
        """

    @property
    def events(self) -> Sequence[dict[str, Any]]:
        """
        The events in *body*, in sent order, each decoded when it is read.
        """

    @property
    def timeout(self) -> float:
        """
        Seconds the whole request may take.
        """


class Transport(Protocol):
    """
    Sends one payload and says what came back; the option *transport_class*
    takes an instance, or a class that the client instantiates.
    """

    def send_payload(self, payload: Payload) -> Response:
        """
        Send *payload* once and return the answer.

        Called by one thread at a time, in a forked worker by another one
        than in its parent: connections are best opened here, on first use.
        Retries are not this method's affair. It should return within
        *payload.timeout*; nothing else is sent meanwhile.

        Args:
            payload: The request.

        Returns:
            The answer; `Response.status` decides what becomes of the events.

        Raises:
            Exception:
                Anything raised counts as a `Response` with the status
                SYSTEM_ERROR, that is: no answer, try again later.
        """


class Retry(Protocol):
    """
    Takes the sending of batches over, retries included; the option
    *retry_class* takes an instance, or a class that the client instantiates.
    """

    def send_events_with_retry(
        self, events: Sequence[dict[str, Any]]
    ) -> Response:
        """
        Bring *events* to the service and return their final answer.

        Args:
            events: At most one request's worth, in the order of logging.

        Returns:
            What became of all of them: SUCCESS counts them as delivered,
            INVALID and PAYLOAD_TOO_LARGE as rejected, the rest as dropped.

        Raises:
            Exception: Anything raised drops the batch, with a log line.
        """


def method_of(thing: object, *spellings: str) -> Callable[..., Any]:
    """
    The method of a user's object, by the first of *spellings* it offers.

    Raises:
        AttributeError: It offers none; the options let no such object in.
    """
    for name in spellings:
        method = getattr(thing, name, None)
        if callable(method):
            return cast("Callable[..., Any]", method)
    raise AttributeError(f"{type(thing).__qualname__} has no {spellings[0]}")


class MiddlewarePayload(msgspec.Struct):
    """
    One event on its way along the middleware chain.

    Attributes:
        event: The event with its wire names. A middleware may change it.

        extra: What `log_event` was given beside the event. Never sent.
    """

    event: dict[str, Any]
    extra: Any = None


MiddlewareNext: TypeAlias = Callable[[MiddlewarePayload], None]
"""Hands a payload to the rest of the chain, and at its end to the ring."""

Middleware: TypeAlias = Callable[[MiddlewarePayload, MiddlewareNext], None]
"""
Sees every event before it is encoded, on the thread that logs it.

It may change the event, pass on another payload, or stop the event by not
calling *next*. It runs in the request: it should neither block nor wait. What
it raises is logged, and makes this one event INVALID unless it has called
*next* before, which cannot be taken back.
"""

OnRetry: TypeAlias = Callable[[Response, int, bool], object]
"""
Called before a batch is retried: `(response, attempt_number, is_last_retry)`.

Answering False, and only False itself, ends the retries of that batch: its
events are dropped with *response*. Whatever else it answers or raises lets
the retry go on.
"""

OnDelivery: TypeAlias = Callable[[Sequence[dict[str, Any]], Response], object]
"""
Called as `(events, response)` once the outcome of events is final.

Every event is in exactly one call, whatever its outcome; a batch whose events
end differently makes a call for each outcome.
"""
