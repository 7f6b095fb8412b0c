# SPDX-License-Identifier: MIT
"""
`Client`: one named instance, from the call to the ring.

The road of an event has three lanes. The direct one (`ringamp.direct`) is one
call into C that encodes, pushes and answers a receipt. With middleware there
is the chain before that (`ringamp.middleware`). Everything unusual (defaults
to merge, opt-out, an event that the encoder or the core refuses, a full ring,
a fork since the last event) takes the careful one (`ringamp.careful`), which
may cost more and never raises either.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from threading import RLock
from typing import TYPE_CHECKING, Any

import msgspec

from ringamp.bindings import generation, renew_generation
from ringamp.careful import (
    NOT_INITIALISED,
    OPTED_OUT,
    as_dict,
    end_carefully,
    log_carefully,
    refuse,
)
from ringamp.clock import Clock, SystemClock
from ringamp.counters import Stats
from ringamp.direct import DirectLane
from ringamp.errors import InvalidEventError, OptionsError
from ringamp.events import Event
from ringamp.flusher.awaited import AwaitedResponse
from ringamp.flusher.lifecycle import load_before_fork
from ringamp.flusher.receipt import Receipt
from ringamp.logs import log, set_level
from ringamp.middleware import MiddlewareLane, check_middleware
from ringamp.options import Options, check_api_key
from ringamp.protocols import Middleware
from ringamp.shorthands import Shorthands
from ringamp.status import SKIPPED_RESPONSE

if TYPE_CHECKING:
    from ringamp.session import Session

load_before_fork("ringamp.session")

_MISSING_STATS = Stats(**dict.fromkeys(Stats.__struct_fields__, 0))


class Client(Shorthands):
    """
    One named instance: logs events and sends them in the background.

    Made by `ringamp.init` and `ringamp.get_instance`. Every method may be
    called by any thread, and in a forked child.
    """

    # A misspelled attribute is an error, and not a new one.
    __slots__ = (
        "__weakref__",
        "_chain",
        "_clock",
        "_direct",
        "_lane",
        "_locks",
        "_name",
        "_opt_out",
        "_session",
    )

    def __init__(
        self, name: str = "default", clock: Clock | None = None
    ) -> None:
        self._name = name
        self._clock: Clock = clock or SystemClock()
        self._chain: tuple[Middleware, ...] = ()
        self._opt_out = False
        self._session: Session | None = None
        # What logs an event, while events may take the direct lane.
        self._direct: Callable[[Any, Any], Receipt] | None = None
        # The middleware, while events may go through it.
        self._lane: MiddlewareLane | None = None
        self._locks: dict[int, RLock] = {}

    def __repr__(self) -> str:
        return f"<Client {self._name!r}: {self.stats()}>"

    # -- Life ------------------------------------------------------------

    def init(
        self,
        api_key: str,
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Client:
        """
        Begin, or begin anew: what was logged before is sent first, within
        *shutdown_timeout_millis* of the old options.

        Args:
            api_key: Of the Amplitude project.

            options: Names of options and their values; the camelCase names
                of the Node SDK are accepted.

            **kwargs: The same.

        Returns:
            This client.

        Raises:
            OptionsError: A name or value is wrong; nothing has changed.

        .. versionadded:: 0.1.0
        """
        # All that sends comes with the first `init`: a program that only
        # imports this package does not wait for it.
        from ringamp.session import Session  # noqa: PLC0415

        key = check_api_key(api_key)
        chosen = Options.build(options, **kwargs)
        set_level(chosen.log_level)
        with self._lock():
            old = self._session
            self._session = Session.begin(key, chosen, self._clock)
            self._opt_out = chosen.opt_out
            self._choose_lane()
            fault = self._session.spool_fault
        if fault is not None:
            warnings.warn(
                f"option spool_dir: there is no spool, events are kept in "
                f"memory alone: {fault}",
                RuntimeWarning,
                stacklevel=2,
            )
        if old is None:
            return self
        if old.generation == generation():
            old.close_at_exit()
        else:
            old.abandon()
        return self

    def shutdown(self, timeout: float | None = None) -> None:
        """
        Send what was logged, then refuse what comes later.

        Args:
            timeout: Seconds to wait at most; None: as the option
                *shutdown_timeout_millis* says. What could not be sent by
                then is dropped and counted.

        .. versionadded:: 0.1.0
        """
        if self._session is None:
            return
        session = self._living()
        session.close(
            session.options.shutdown_timeout if timeout is None else timeout,
        )

    def postfork(self) -> None:
        """
        Rebuild after a fork now, instead of at the first event.
        """
        session = self._session
        if session is not None:
            self._renew(session)

    def flush(self) -> AwaitedResponse:
        """
        Send what was logged so far without waiting for company.

        Returns:
            A future, which can also be awaited, that is done when every
            event logged before this call has its final outcome, retries and
            holds included. Its result is the first response that was no
            success, else a success; skipped if there was nothing to do.

        .. versionadded:: 0.1.0
        """
        session = self._session
        if session is None or session.generation != generation():
            done = AwaitedResponse()
            done.set_result(SKIPPED_RESPONSE)
            return done
        return session.flush()

    # -- Logging ---------------------------------------------------------

    def log_event(
        self,
        event: dict[str, Any] | Event,
        extra: Any = None,
    ) -> Receipt:
        """
        Log *event* and return at once.

        The event is checked, encoded and placed in this process's ring;
        nothing is sent on this thread. When the ring is full, the *on_full*
        option decides: drop and count (default), or wait up to
        *block_timeout*.

        Args:
            event: What to log. Not changed, and safe to reuse afterwards.

            extra: Passed along the middleware chain and then forgotten.
                Never sent.

        Returns:
            The event's receipt: its status now, and its outcome later.

        Raises:
            InvalidEventError: Only with the option *strict*, which also
                lets the exceptions of middleware pass.

        .. versionadded:: 0.1.0
        """
        log_directly = self._direct
        if log_directly is not None:
            return log_directly(event, extra)
        lane = self._lane
        if lane is None:
            return self._log_carefully(event, extra)
        # Looked up apart from the call: slots are not methods, and asking for
        # one as such takes the long way.
        begin, enter = lane.begin, lane.enter
        try:
            passage = begin(event, extra)
        except TypeError:
            # Neither a dict nor an Event; the careful lane makes a dict.
            return self._log_carefully(event, extra)
        try:
            enter(passage, passage)
        except Exception as error:
            return lane.fail(error, passage)
        receipt: Receipt | None = passage.receipt
        if receipt is not None:
            return receipt
        return lane.conclude(passage.answer)

    def add_event_middleware(self, middleware: Middleware) -> Client:
        """
        Let every event from now on pass through *middleware*.

        Args:
            middleware: Called as `middleware(payload, next)` by the thread
                that logs; `payload.event` is a dict of its own, and the
                event goes on when `next(payload)` is called. Not calling it
                stops the event (SKIPPED).

        Returns:
            This client.

        Raises:
            OptionsError: It cannot be called, or what it does begins only
                when its result is awaited or iterated over.

        .. versionadded:: 0.1.0
        """
        check_middleware(middleware)
        with self._lock():
            self._chain = (*self._chain, middleware)
            self._choose_lane()
        return self

    def remove_event_middleware(self, middleware: Middleware) -> Client:
        """
        Let no event from now on pass through *middleware*, which was added
        before; where it was added twice, the later one goes.

        Returns:
            This client.

        Raises:
            OptionsError: It was not added.

        .. versionadded:: 0.1.0
        """
        with self._lock():
            chain = [*self._chain]
            for at in reversed(range(len(chain))):
                # By equality: each look at a method makes another object.
                if chain[at] == middleware:
                    del chain[at]
                    break
            else:
                raise OptionsError(
                    "middleware: one given that was not added; allowed is "
                    "what add_event_middleware was given"
                )
            self._chain = tuple(chain)
            self._choose_lane()
        return self

    # -- State -----------------------------------------------------------

    @property
    def options(self) -> Options:
        """
        The options in force; those of the defaults before `init`.
        """
        session = self._session
        if session is None:
            return Options()
        chosen = session.options
        if chosen.opt_out is self._opt_out:
            return chosen
        return msgspec.structs.replace(chosen, opt_out=self._opt_out)

    def get_options(self) -> Options:
        """
        As `options`; the Node SDK has a method.
        """
        return self.options

    @property
    def opt_out(self) -> bool:
        """
        Whether nothing is logged; may be set at any time.
        """
        return self._opt_out

    @opt_out.setter
    def opt_out(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise OptionsError(
                f"option opt_out: {value!r} given, True or False is allowed",
            )
        with self._lock():
            self._opt_out = value
            self._choose_lane()

    def stats(self) -> Stats:
        """
        Count what happened in this process since `init`, or since its fork.
        """
        session = self._session
        if session is None or session.generation != generation():
            return _MISSING_STATS
        return session.stats()

    # -- The careful lane ------------------------------------------------

    def _lock(self) -> RLock:
        """
        The lock of this generation. One that was inherited may be held by a
        thread that does not exist; `setdefault` lets racing threads of a new
        process agree on a new one without a lock. It is re-entrant, since a
        signal handler may use the client in the middle of a call.
        """
        return self._locks.setdefault(renew_generation(), RLock())

    def _choose_lane(self) -> None:
        """
        Decide whether events may take the direct lane; under the lock.
        """
        self._direct = self._lane = None
        session = self._session
        if session is None or self._opt_out:
            return
        if self._chain:
            self._lane = MiddlewareLane(
                session,
                self._chain,
                self._end_carefully,
                refuse,
            )
        elif not session.has_defaults:
            self._direct = DirectLane(session, self._log_carefully).log

    def _renew(self, session: Session) -> Session:
        """
        Make a new session if a fork ended *session*; give the living one.
        """
        with self._lock():
            current = self._session
            if current is None or current is not session:
                return current or session
            if session.is_closed or session.generation == generation():
                return session
            session.abandon()
            made = session.succeed()
            if self._session is session:
                # Else a signal handler logged meanwhile, and made one.
                self._session = made
                self._choose_lane()
            return self._session or made

    def _log_built(
        self, build: Callable[..., dict[str, Any]], *args: Any
    ) -> Receipt:
        try:
            event = build(*args)
        except (TypeError, ValueError) as error:
            session = self._session
            if session is None:
                return NOT_INITIALISED
            return refuse(session, str(error))
        return self.log_event(event)

    def _log_carefully(self, event: Any, extra: Any) -> Receipt:
        """
        Log an event that cannot take the direct lane.
        """
        session = self._session
        if session is None:
            log(
                logging.WARNING,
                "not initialised",
                "an event was logged before init; it is skipped",
            )
            return NOT_INITIALISED
        if self._opt_out:
            session.counters.skipped.bump()
            return OPTED_OUT
        try:
            fields = as_dict(event)
        except InvalidEventError as error:
            return refuse(session, str(error))
        if self._lane is not None:
            return self.log_event(fields, extra)
        return log_carefully(session, fields, self._living)

    def _end_carefully(self, session: Session, event: Any) -> Receipt:
        return end_carefully(session, event, self._living)

    def _living(self) -> Session:
        """
        The session of this process; only asked where there is one.
        """
        session = self._session
        if session is None:
            raise RuntimeError("the client was never initialised")
        return self._renew(session)

    # camelCase twins for users coming from @amplitude/node.
    logEvent = log_event
    addEventMiddleware = add_event_middleware
    removeEventMiddleware = remove_event_middleware
    getOptions = get_options
    optOut = opt_out
