# SPDX-License-Identifier: MIT
"""
All of a client that belongs to one process: `Session`.

A fork ends a session without touching it, and the first call in the child
makes another one from the same `Blueprint`. So whatever must not be
inherited (ring, locks, thread, sockets, counts) is made here and nowhere
else.
"""

from __future__ import annotations

import inspect
import logging
from threading import RLock
from typing import Any

import msgspec

from ringamp.bindings import RECORD_HEADER
from ringamp.buffer.ring import Ring
from ringamp.clock import Clock
from ringamp.counters import Counters, Stats, Traffic
from ringamp.flusher.awaited import AwaitedResponse
from ringamp.flusher.delivery import Delivery
from ringamp.flusher.exchange import (
    Exchange,
    NodeExchange,
    PolicyExchange,
    sends_by_itself,
)
from ringamp.flusher.handover import EVERYTHING, HANDED_OVER, Handover
from ringamp.flusher.keeping import Keeper
from ringamp.flusher.lifecycle import close_at_exit, close_with_worker
from ringamp.flusher.loop import Flusher
from ringamp.flusher.makers import Makers
from ringamp.flusher.outcomes import Outcomes
from ringamp.flusher.salvage import Salvage
from ringamp.flusher.senders import Senders
from ringamp.flusher.uploads import Uploads
from ringamp.logs import log
from ringamp.options import Options
from ringamp.retry import OrderedRetry
from ringamp.storage import Storage
from ringamp.transport import HTTPTransport
from ringamp.transport.payload import LIBRARY, Envelope

FOREVER = 1e8
"""Seconds, three years: locks know no infinite time limit."""


class Blueprint(msgspec.Struct, frozen=True):
    """
    What every session of a client is made from.
    """

    envelope: Envelope
    options: Options
    clock: Clock


def _tell(thing: object, name: str) -> None:
    """
    Call the method *name* of a transport, if it has one. What a user's
    raises is logged: a shutdown goes on.
    """
    method = getattr(thing, name, None)
    if not callable(method):
        return
    try:
        method()
    except Exception as error:
        words = f"{type(thing).__qualname__}.{name} raised {error!r}"
        log(logging.ERROR, words, "%s", words)


class Session:
    """
    One process's ring, flusher, transport and counts.

    Args:
        blueprint: What to make it from.

    Raises:
        NativeError: There is no memory for the ring.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        options = blueprint.options
        self.blueprint = blueprint
        self.options = options
        self.counters = Counters()
        self._storage = Storage(
            options, blueprint.envelope.project, blueprint.clock
        )
        self.ring = Ring(
            self._storage.region,
            min_id_length=options.min_id_length,
            max_event=options.max_bytes - blueprint.envelope.overhead,
            library=LIBRARY.encode(),
            keeps=self._storage.spool is not None,
            tracks=options.concurrent_uploads,
        )
        self.generation = self.ring.generation
        self.push_event = self.ring.push_event
        self.push_dict = self.ring.push_dict
        self._senders = Senders()
        self.outcomes = Outcomes(self.generation, self._senders)
        self.has_defaults = (
            options.plan is not None or options.ingestion_metadata is not None
        )
        self.drops_when_full = options.on_full == "drop"
        self.is_closed = False
        self._is_abandoned = False
        # Re-entrant: a signal handler may close while this thread does.
        self._closing = RLock()
        self._transport: Any = None
        self._delivery: Delivery | None = None
        self._flusher: Flusher | Handover
        if self._storage.is_consumed:
            flusher = self._make_flusher()
            self.outcomes.listen(flusher.linger.expect)
            self._flusher = flusher
        else:
            self.outcomes.settle(0, EVERYTHING, HANDED_OVER)
            self._flusher = Handover()
        self.wake = self._flusher.wake
        close_at_exit(self)

    @classmethod
    def begin(cls, api_key: str, options: Options, clock: Clock) -> Session:
        """
        Make the first session of a client.
        """
        return cls(Blueprint(Envelope(api_key, options), options, clock))

    def succeed(self) -> Session:
        """
        Make the session that takes this one's place in a forked child.
        """
        return Session(self.blueprint)

    def _make_flusher(self) -> Flusher:
        """
        Make what sends from this process, down to the transport.
        """
        options, clock = self.options, self.blueprint.clock
        tracks = options.concurrent_uploads
        self._transport = _make_transport(options)
        self.counters.traffic = _traffic_of(self._transport, options)
        exchange = self._make_exchange()
        salvage, keeper = self._make_salvage(exchange)
        self._delivery = Delivery(
            source=self.ring,
            ring=self.ring,
            exchange=exchange,
            envelope=self.blueprint.envelope,
            options=options,
            outcomes=self.outcomes,
            counters=self.counters,
            ends=self.counters,
            clock=clock,
            keeper=keeper,
            uploads=(
                Uploads(exchange, tracks, self._senders)
                if tracks > 1
                else None
            ),
        )
        return Flusher(
            self.ring,
            self._delivery,
            options,
            clock,
            begin=close_with_worker,
            interrupt=lambda: _tell(self._transport, "interrupt"),
            keep_newest=exchange.keep_newest,
            salvage=salvage,
            senders=self._senders,
        )

    def _make_salvage(
        self, exchange: Exchange
    ) -> tuple[Salvage | None, Keeper | None]:
        """
        Make what takes up what others left, and the keeper of our own ring;
        neither without a spool.
        """
        spool, file = self._storage.spool, self._storage.file
        if spool is None or file is None:
            return None, None
        blueprint = self.blueprint
        makers = Makers(
            exchange=exchange,
            envelope=blueprint.envelope,
            options=self.options,
            counters=self.counters,
            spool=spool,
            clock=blueprint.clock,
        )
        keeper = makers.keeper(file.ring_id, self.options.min_id_length)
        return Salvage(makers, file.ring_id), keeper

    def _make_exchange(self) -> Exchange:
        """
        Take the user's retry in, whichever of the two kinds it is.
        """
        options = self.options
        envelope = self.blueprint.envelope
        retry: Any = options.retry_class or OrderedRetry
        if isinstance(retry, type):
            if hasattr(retry, "decide"):
                retry = retry(options)
            else:
                retry = _make(
                    retry,
                    transport=self._transport,
                    options=options,
                    envelope=envelope,
                )
        # The Node interface first: a policy that has it as well overrides it.
        if not hasattr(retry, "decide") or sends_by_itself(retry):
            return NodeExchange(retry, envelope)
        return PolicyExchange(
            self._transport,
            retry,
            envelope,
            options,
            is_custom=options.transport_class is not None,
        )

    def has_room(self, length: int) -> bool:
        """
        Whether an event of *length* bytes would probably fit now.
        """
        need = 2 * (length + RECORD_HEADER + 8)
        # The largest of all needs an empty ring, and not more than that.
        need = min(need, self.ring.capacity)
        return self.ring.used + need <= self.ring.capacity

    def make_room(self) -> None:
        """
        Have what is in the ring sent without lingering: somebody waits for
        its space.
        """
        self._flusher.hurry()

    def is_flushing_thread(self) -> bool:
        """
        Whether the calling thread is the one that makes room.
        """
        return self._senders.has_caller

    def stats(self) -> Stats:
        """
        Take a snapshot of the counts.
        """
        held = 0 if self._delivery is None else self._delivery.held
        return self.counters.snapshot(self.ring, held)

    def flush(self) -> AwaitedResponse:
        """
        Have all that is in the ring sent; the future is done when each of
        these events has its outcome.
        """
        target = self.ring.tail
        if isinstance(self._flusher, Handover):
            return self._flusher.flush(target)
        future = self.outcomes.flush(target)
        # Not `future.done()`, which takes the future's lock: a signal
        # handler that shuts down just then would wait for the flusher, and
        # that for the lock.
        if self.outcomes.floor < target:
            self._flusher.hurry()
        return future

    def close(self, timeout: float) -> None:
        """
        Refuse new events, send what is left within *timeout* seconds, drop
        and count the rest.

        A second call waits for the first, unless it comes from inside it (a
        signal handler, or a callback of the user's).
        """
        timeout = min(timeout, FOREVER)
        # The call that came first may wait for this very thread.
        patience = 0 if self._flusher.is_own_thread() else max(timeout, 0)
        if not self._closing.acquire(timeout=patience):
            return
        try:
            if self.is_closed:
                return
            self.is_closed = True
            self.ring.close()
            clock = self.blueprint.clock
            self._flusher.close(clock.monotonic() + timeout)
            _tell(self._transport, "close")
            self._storage.close(is_done=self.ring.used == 0)
        finally:
            self._closing.release()

    def hurry(self) -> None:
        """
        Have the thread send what is left, if there is one.
        """
        if self._flusher.has_thread and not self.is_closed:
            self._flusher.hurry()

    def close_at_exit(self, waited: float = 0.0) -> None:
        """
        Close within what the options allow, of which *waited* seconds have
        passed.
        """
        self.close(max(0.0, self.options.shutdown_timeout - waited))

    def abandon(self) -> None:
        """
        In a forked child: let go of the sockets and files that are the
        parent's. A second call does nothing.
        """
        if self._is_abandoned:
            return
        self._is_abandoned = True
        _tell(self._transport, "abandon")
        self._storage.abandon()

    @property
    def spool_fault(self) -> str | None:
        """
        Why there is no spool although one was asked for, in words.
        """
        return self._storage.fault


def _make_transport(options: Options) -> Any:
    """
    Take the user's transport in, class or instance.
    """
    transport: Any = options.transport_class or HTTPTransport
    if not isinstance(transport, type):
        return transport
    first = next(iter(inspect.signature(transport).parameters.values()), None)
    if first is None or first.kind in _NAMED or _is_other(first):
        return transport()
    return transport(options)


_NAMED = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)


def _is_other(first: inspect.Parameter) -> bool:
    """
    Whether what a transport may be made with is something else than options.
    """
    return first.name != "options" and first.default is not first.empty


def _traffic_of(transport: Any, options: Options) -> Traffic | None:
    """
    What *transport* counts, None where it does not. An object of the user's
    may serve several clients, or a parent before this process.
    """
    traffic = getattr(transport, "traffic", None)
    is_ours = transport is not options.transport_class
    return traffic if is_ours and isinstance(traffic, Traffic) else None


def _make(kind: type, **kwargs: Any) -> Any:
    """
    Make an object of the user's class, with these arguments if it takes
    them.
    """
    try:
        inspect.signature(kind).bind(**kwargs)
    except TypeError:
        return kind()
    return kind(**kwargs)
