# SPDX-License-Identifier: MIT
"""
One request and what to do about its answer: the seam where a user's own
transport or retry class is taken in.

`PolicyExchange` sends through a transport and asks a pure policy.
`NodeExchange` hands the events to an object with the Node interface, which
does the sending and waiting by itself, and takes its answer as final.

User code may raise anything and return anything; here is the border where
that becomes a `Response`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Protocol

from ringamp.buffer.batch import Batch, LazyEvents
from ringamp.flusher.node_response import from_node
from ringamp.logs import log
from ringamp.options import Options
from ringamp.protocols import method_of
from ringamp.retry.decision import (
    Attempt,
    Decision,
    Deliver,
    Drop,
    Hold,
    Policy,
    Reject,
    Resend,
)
from ringamp.signals import as_the_user
from ringamp.status import Response, Status
from ringamp.transport.payload import Envelope, Payload
from ringamp.user_code import ends_program, words_of

_SENDS = ("send_events_with_retry", "sendEventsWithRetry")
"""The method of the Node interface, in both spellings."""

_DECISIONS = (Deliver, Reject, Drop, Hold, Resend)


class Exchange(Protocol):
    """
    What the delivery needs of the two below.

    Attributes:
        keep_newest: As of a policy: None, or how many events an outage may
            keep.

        retries: As of a policy: how many a batch has; None for no end.

        lends_events: Whether user code may keep a batch's events.
    """

    keep_newest: int | None
    retries: int | None
    lends_events: bool

    def post(self, batch: Batch, timeout: float) -> Response:
        """
        Send *batch* within *timeout* seconds. With several uploads, called
        by several threads at a time.
        """

    def judge(
        self, batch: Batch, response: Response
    ) -> tuple[Response, Sequence[Decision]]:
        """
        Say what becomes of *batch*, whose answer was *response*; give back
        what is told of it. Called by the thread that flushes alone.
        """


def as_response(answer: object, giver: object) -> Response:
    """
    Take what user code returned for a response.
    """
    if isinstance(answer, Response):
        return answer
    response = from_node(answer)
    if response is not None:
        return response
    return Response(
        Status.SYSTEM_ERROR,
        error=f"{type(giver).__qualname__} returned "
        f"{type(answer).__qualname__}, not a Response",
    )


def guarded(
    call: Callable[[Any], Any],
    given: object,
    giver: object,
    envelope: Envelope,
) -> Response:
    """
    Call user code; an exception becomes a response.
    """
    try:
        answer = call(given)
        return as_response(answer, giver)
    except BaseException as error:
        if ends_program(error):
            raise
        return raised(error, giver, envelope)


def raised(
    error: BaseException, giver: object, envelope: Envelope
) -> Response:
    """
    Make a response of what user code raised.

    The log has the exception's type and words but not its traceback, whose
    frames hold request bodies. The words may quote a body as well, as those
    of a UnicodeDecodeError do: the API key is blotted out.
    """
    what = words_of(error, envelope.head)
    words = f"{type(giver).__qualname__} raised {what}"
    log(logging.ERROR, words, "%s", words)
    return Response(Status.SYSTEM_ERROR, error=words)


def check_cover(decisions: Sequence[Decision], count: int) -> None:
    """
    See that each of *count* events is in exactly one of *decisions*: one that
    is in none would have no end, one in two would have two.

    Raises:
        TypeError: These are no decisions.

        ValueError: They do not cover the events so.
    """
    for decision in decisions:
        if not isinstance(decision, _DECISIONS):
            raise TypeError(f"{type(decision).__name__} is no decision")
    everyone = range(count)
    if len(decisions) == 1 and decisions[0].indexes == everyone:
        return
    named = chain.from_iterable(decision.indexes for decision in decisions)
    if sorted(named) != list(everyone):
        raise ValueError("an event is in no decision, or in several")


class PolicyExchange:
    """
    A transport and a pure policy.

    Args:
        transport: Has `send_payload`, in one of its two spellings.

        policy: Says what an answer means.

        envelope: Brings the headers, and the API key that is not to be told.

        options: Bring the URL.

        is_custom: Whether the transport is the user's.
    """

    def __init__(
        self,
        transport: Any,
        policy: Policy,
        envelope: Envelope,
        options: Options,
        *,
        is_custom: bool,
    ) -> None:
        self._transport = transport
        post = method_of(transport, "send_payload", "sendPayload")
        self._post = as_the_user()(post) if is_custom else post
        self._policy = policy
        self._envelope = envelope
        self._url = options.url
        self.keep_newest = policy.keep_newest
        self.retries = policy.retries
        self._is_custom = is_custom
        self.lends_events = False

    def post(self, batch: Batch, timeout: float) -> Response:
        """
        Send *batch* through the transport.
        """
        return guarded(
            self._post,
            self._payload(batch, timeout),
            self._transport,
            self._envelope,
        )

    def _payload(self, batch: Batch, timeout: float) -> Payload:
        body, offsets = batch.body, batch.offsets
        if self._is_custom:
            # It may keep what it was given, and most HTTP libraries take
            # bytes alone.
            body, offsets = bytes(body), batch.own_offsets()
        return Payload(
            self._url,
            body,
            self._envelope.headers,
            LazyEvents(body, offsets),
            timeout,
        )

    def judge(
        self, batch: Batch, response: Response
    ) -> tuple[Response, Sequence[Decision]]:
        """
        Ask the policy.
        """
        count = batch.count
        attempt = Attempt(count, batch.attempt, batch.ids, self._url)
        try:
            decisions = self._policy.decide(attempt, response)
            check_cover(decisions, count)
        except BaseException as error:
            if ends_program(error):
                raise
            response = raised(error, self._policy, self._envelope)
            return response, [Drop(range(count), response)]
        return response, decisions


def sends_by_itself(retry: object) -> bool:
    """
    Say whether *retry* has the Node interface.
    """
    return any(callable(getattr(retry, name, None)) for name in _SENDS)


class NodeExchange:
    """
    A user's retry object with the Node interface.
    """

    keep_newest: int | None = None
    retries: int | None = None
    lends_events = True

    def __init__(self, retry: Any, envelope: Envelope) -> None:
        self._retry = retry
        self._envelope = envelope
        self._call = as_the_user()(method_of(retry, *_SENDS))

    def post(self, batch: Batch, timeout: float) -> Response:
        """
        Let the user's object send; *timeout* is its own affair.
        """
        del timeout
        return guarded(self._call, batch.events(), self._retry, self._envelope)

    def judge(
        self, batch: Batch, response: Response
    ) -> tuple[Response, Sequence[Decision]]:
        """
        Take the object's answer as final.
        """
        everything = range(len(batch))
        decision = FINAL.get(response.status, Drop)
        if decision is Deliver:
            return response, [Deliver(everything)]
        return response, [decision(everything, response)]


FINAL: dict[Status, Any] = {
    Status.SUCCESS: Deliver,
    Status.INVALID: Reject,
    Status.PAYLOAD_TOO_LARGE: Reject,
}
"""What a final answer means for the events; any other: they are dropped."""
