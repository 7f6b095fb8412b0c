# SPDX-License-Identifier: MIT
"""
The default policy: what becomes of a batch, by what the service answered.

What it is
    A table from `Status` to a rule, and the rules. A response in, decisions
    out; nothing here sends, sleeps, stores or looks at a clock.

The picture
    SUCCESS             deliver
    INVALID, 400        refused events: reject   throttled ids: hold
                        the rest: resend now, uncharged
                        naming nobody: request-level -> reject all
                                       one event     -> reject
                                       else          -> halve, uncharged
    INVALID, other 4xx  reject
    PAYLOAD_TOO_LARGE   one event -> reject; else halve, uncharged
    RATE_LIMIT          as 400 where it names events or ids of this batch
                        naming nobody: as FAILED
    FAILED, TIMEOUT,    resend all after a delay, charged;
    SYSTEM_ERROR,       retries used up -> drop
    UNKNOWN
    SKIPPED, QUEUED,    drop; a transport of the user's own said so
    DROPPED

Charged and uncharged
    A retry is charged (its attempt number grows) where the whole batch
    failed for a reason that is nobody's fault. Where some events are to
    blame the others are innocent and keep their number.

The invariants
    Every index of the batch is in exactly one decision.
    An uncharged resend has no delay, and holds fewer events than the batch
    it comes from.

Why no answers, however stubborn or absurd, can make it run hot
    By the second invariant a chain of uncharged resends ends after at most
    as many steps as the batch has events. All else is final, waits for a
    hold of 15 s or more, or waits for a delay and is charged, which ends
    after as many steps as there are retries. A 429 that names nobody of
    the batch, or only events without any id, is charged for that reason.

At the edges
    The index lists may tell the first bad event only: the rest is resent
    and the next answer tells the next. Events named take precedence over
    words that sound like the whole request, since the rest can be told
    apart in the next answer and what is rejected cannot be had back.
    No retries configured: the batch is sent once, and dropped if that fails.

What this file deliberately does not do
    Keep the held events (`retry.lanes`), or ask whether the events of a
    resend have been held meanwhile: whoever sends does that just before.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from ringamp.errors import OptionsError
from ringamp.options import Options
from ringamp.retry.backoff import Backoff
from ringamp.retry.decision import (
    Attempt,
    Decision,
    Deliver,
    Drop,
    Hold,
    Reject,
    Resend,
)
from ringamp.retry.named import Named, read_named
from ringamp.status import Response, Status

HOLD = 30.0
"""Seconds to pause a throttled id (HTTP V2 API, 429)."""

BATCH_HOLD = 15.0
"""The same on the batch URLs, which advise a short while (Batch API, 429)."""

_REQUEST_ERRORS = (
    "invalid api key",
    "missing request body",
    "invalid request path",
)


def check_options(name: str, options: object) -> None:
    """
    Refuse what a policy is made of, where that is no `Options`.

    Raises:
        OptionsError: As `OfflineRetry("API_KEY")`, which the Node SDK knows.
    """
    if not isinstance(options, Options):
        raise OptionsError(
            f"{name}: {type(options).__name__} given, allowed is Options. "
            f"Give the class and not an object of it: retry_class={name}"
        )


class OrderedRetry:
    """
    Retry as the service asks, and keep every id's events in order.

    Server errors and lost connections are retried after the entries of
    *retry_timeouts*, with jitter. Refused events are rejected, throttled ids
    wait, and neither costs the events sent along with them a retry.

    Attributes:
        keep_newest: None: while a batch waits, new events wait in the ring.

        retries: How many charged retries a batch has; None for no end.

    .. versionadded:: 0.1.0
    """

    keep_newest: int | None = None
    retries: int | None

    def __init__(
        self, options: Options, rng: random.Random | None = None
    ) -> None:
        check_options(type(self).__name__, options)
        self._backoff = Backoff(options.retry_delays, rng)
        self.retries = len(self._backoff)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.retries} retries>"

    def decide(
        self, attempt: Attempt, response: Response
    ) -> Sequence[Decision]:
        """
        Say what becomes of each event of *attempt*.
        """
        if not attempt.count:
            return []
        return RULES[response.status](self, attempt, response)

    def again(self, attempt: Attempt, response: Response) -> list[Decision]:
        """
        Charge a retry for the whole batch, or drop it if none is left.
        """
        everyone = range(attempt.count)
        if attempt.number > len(self._backoff):
            return [Drop(everyone, response)]
        delay = self._backoff.delay(attempt.number, response.retry_after)
        return [Resend(everyone, attempt.number + 1, delay)]


Rule = Callable[[OrderedRetry, Attempt, Response], list[Decision]]


def _deliver(
    _policy: OrderedRetry, attempt: Attempt, _response: Response
) -> list[Decision]:
    return [Deliver(range(attempt.count))]


def _drop(
    _policy: OrderedRetry, attempt: Attempt, response: Response
) -> list[Decision]:
    return [Drop(range(attempt.count), response)]


def _again(
    policy: OrderedRetry, attempt: Attempt, response: Response
) -> list[Decision]:
    return policy.again(attempt, response)


def _sort_out(
    _policy: OrderedRetry, attempt: Attempt, response: Response
) -> list[Decision]:
    # A transport of the user's own may give no code with its status.
    if response.status_code not in (0, 400):
        return [Reject(range(attempt.count), response)]
    named = read_named(attempt, response.body)
    if named:
        return _part(attempt, response, named)
    if is_request_level(response):
        return [Reject(range(attempt.count), response)]
    return _halve(attempt, response)


def _split(
    _policy: OrderedRetry, attempt: Attempt, response: Response
) -> list[Decision]:
    return _halve(attempt, response)


def _throttle(
    policy: OrderedRetry, attempt: Attempt, response: Response
) -> list[Decision]:
    named = read_named(attempt, response.body)
    if named:
        return _part(attempt, response, named)
    return policy.again(attempt, response)


RULES: Mapping[Status, Rule] = {
    Status.SUCCESS: _deliver,
    Status.INVALID: _sort_out,
    Status.PAYLOAD_TOO_LARGE: _split,
    Status.RATE_LIMIT: _throttle,
    Status.FAILED: _again,
    Status.TIMEOUT: _again,
    Status.SYSTEM_ERROR: _again,
    Status.UNKNOWN: _again,
    Status.SKIPPED: _drop,
    Status.QUEUED: _drop,
    Status.DROPPED: _drop,
}
"""The table of the policy; every status has its row."""


def is_request_level(response: Response) -> bool:
    """
    Is a 400 about the request, so that no part of it can succeed?
    """
    if response.body and response.body.get("missing_field"):
        return True
    return (response.error or "").lower().startswith(_REQUEST_ERRORS)


def _halve(attempt: Attempt, response: Response) -> list[Decision]:
    """
    Send two halves, which finds bad events and fits limits; one alone ends.
    """
    if attempt.count == 1:
        return [Reject(range(1), response)]
    middle = attempt.count // 2
    return [
        Resend(range(middle), attempt.number),
        Resend(range(middle, attempt.count), attempt.number),
    ]


def _part(
    attempt: Attempt, response: Response, named: Named
) -> list[Decision]:
    """
    Reject the refused, hold the throttled, resend the innocent.
    """
    decisions: list[Decision] = []
    if named.refused:
        decisions.append(Reject(tuple(sorted(named.refused)), response))
    if named.held:
        decisions.append(
            Hold(
                tuple(sorted(named.held)),
                named.users,
                named.devices,
                max(_hold_time(attempt.url), response.retry_after or 0.0),
                named.eps_threshold,
                response,
            )
        )
    rest = tuple(
        index
        for index in range(attempt.count)
        if index not in named.refused and index not in named.held
    )
    if rest:
        decisions.append(Resend(rest, attempt.number))
    return decisions


def _hold_time(url: str) -> float:
    """
    Look up how long the API at *url* wants a throttled id to pause.
    """
    is_batch = urlsplit(url).path.rstrip("/").endswith("/batch")
    return BATCH_HOLD if is_batch else HOLD
