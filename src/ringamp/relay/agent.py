# SPDX-License-Identifier: MIT
"""
The relay: one process that sends from the rings of many: `RelayAgent`.

What it is

    A loop in the caller's thread. It has no ring, no thread and no lock of
    its own, and nothing that would be lost with it: killed at any instant, it
    leaves rings that the next relay, or any worker with delivery="thread",
    goes on with. What it had sent and not yet noted is sent again with the
    same insert_ids.

Whose turn it is

    Round by round each ring sends one batch, and after each of them the
    backlog may send one. A batch that waits for its retry and an event that
    waits for a throttled id wait in their own ring's delivery, so nobody else
    waits for them. Whether the service is out is known to all: then one batch
    is tried at a time, after pauses that grow, and rings that are half full
    are relieved into the backlog.

Sleeping

    Nobody wakes a relay: a worker's push is no system call. It looks again
    after SHORTEST seconds while there is work, and after ever longer pauses
    up to LONGEST while there is none.

Stopping

    `stop` only notes something, so a signal handler may call it. The request
    under way is finished, everything else stays on disk. Where the disk ends
    with the relay, as a pod's memory does, it is given some seconds in which
    it sends what there is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from ringamp.buffer.spool import Spool
from ringamp.clock import Clock, SystemClock
from ringamp.counters import Counters
from ringamp.errors import OptionsError
from ringamp.flusher.adopted import AdoptedRing
from ringamp.flusher.backlog_delivery import BacklogDelivery
from ringamp.flusher.exchange import PolicyExchange
from ringamp.flusher.makers import Makers
from ringamp.logs import log
from ringamp.options import Options, check_api_key
from ringamp.relay.roster import Roster
from ringamp.retry import OrderedRetry
from ringamp.transport import HTTPTransport
from ringamp.transport.payload import Envelope

SHORTEST = 0.005
LONGEST = 0.05
"""Seconds of the pauses between two rounds."""

FAULT_PAUSE = 1.0
"""Seconds of the pause after a failure that is a defect of ours."""

PATIENCE = 1.0
"""Seconds after which `run(once=True)` gives up on a ring that holds
something and gives nothing out: a push in it is only half done."""


class Progress(NamedTuple):
    """
    Where a relay is.

    Attributes:
        living: Rings of living processes that it sends from.

        dead: Rings of dead processes that it sends from.

        delivered: Events that the service took.

        rejected: Events that it refused; they are among the dead letters.

        dropped: Events given up: the backlog had no room.

        requests: Requests sent.

        backlog_bytes: Bytes of the backlog, of a moment ago.

        quarantined: Files that are not as ringamp made them.

        is_out: Whether the service cannot be reached.
    """

    living: int
    dead: int
    delivered: int
    rejected: int
    dropped: int
    requests: int
    backlog_bytes: int
    quarantined: int
    is_out: bool


class RelayAgent:
    """
    Sends what workers with delivery="relay", and dead processes, have left
    in the spool of one project.

    Args:
        api_key: Of the Amplitude project; the workers' own.

        options: With a *spool_dir*. It, *server_url*, *server_zone* and
            *use_batch* must say the same as the workers': what was logged
            for one URL is never sent to another.

        clock: The time.

        sleep: How to wait.

    Raises:
        OptionsError: The options are none for a relay.
        SpoolError: The directory is not safe to use, or on no local disk.
        OSError: It could not be made or opened.
    """

    def __init__(
        self,
        api_key: str,
        options: Options,
        *,
        clock: Clock | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        key = check_api_key(api_key)
        path = _check(options)
        self._clock: Clock = clock or SystemClock()
        self._sleep = sleep
        self._timeout = options.request_timeout
        self._counters = Counters()
        self._is_stopping = False
        self._pause = SHORTEST
        self._is_sending = False
        self._is_backlog_sending = False
        self._is_looking_last = False
        self._stuck_since: float | None = None
        self._is_finishing = False
        self._deadline: float | None = None
        envelope = Envelope(key, options)
        self._spool = Spool(path, envelope.project, options.max_spool_bytes)
        self._transport = HTTPTransport(options)
        self._makers = Makers(
            exchange=PolicyExchange(
                self._transport,
                OrderedRetry(options),
                envelope,
                options,
                is_custom=False,
            ),
            envelope=envelope,
            options=options,
            counters=self._counters,
            spool=self._spool,
            clock=self._clock,
        )
        self._roster = Roster(self._makers)
        self._backlog = BacklogDelivery(self._makers)

    def __repr__(self) -> str:
        return f"<RelayAgent: {self._spool.rings.path}, {self.progress()}>"

    def progress(self) -> Progress:
        """
        Say where it is. Any thread may ask.
        """
        rings, found = self._roster.rings, self._counters.salvaged
        living = sum(ring.is_living for ring in rings)
        return Progress(
            living=living,
            dead=len(rings) - living,
            delivered=found.delivered,
            rejected=found.rejected,
            dropped=found.dropped,
            requests=self._counters.requests,
            backlog_bytes=self._roster.backlog_bytes,
            quarantined=found.quarantined,
            is_out=self._makers.outage.is_on,
        )

    def run(
        self,
        *,
        once: bool = False,
        tell: Callable[[], None] | None = None,
    ) -> bool:
        """
        Send until `stop` is called, then let go of everything. For one call.

        Args:
            once: Stop by itself when all that was found is sent, or when the
                service cannot be reached.

            tell: Called between two rounds.

        Returns:
            Whether nothing was left that could be sent.
        """
        try:
            while not self._is_stopping:
                try:
                    pause = self._round()
                except Exception as error:
                    self._note_defect(error)
                    pause = FAULT_PAUSE
                if tell is not None:
                    tell()
                if self._is_over(once=once):
                    break
                if pause > 0 and not self._is_stopping:
                    self._sleep(pause)
            return self._is_all_sent()
        finally:
            self._close()

    def stop(self, patience: float = 0.0) -> None:
        """
        End `run` soon. A signal handler may call it.

        Args:
            patience: Seconds in which what is there now is still sent. A
                second call ends them.
        """
        if patience > 0 and self._deadline is None:
            self._deadline = self._clock.monotonic() + patience
        else:
            self._is_stopping = True

    def _is_over(self, *, once: bool) -> bool:
        """
        Whether `run` ends by itself.
        """
        if self._deadline is None:
            return once and self._is_through()
        if self._is_late():
            return True
        if self._is_finishing:
            return self._is_through()
        self._is_finishing = True
        self._is_looking_last = False
        self._roster.begin_anew()
        return False

    def _is_late(self) -> bool:
        """
        Whether the time that `stop` gave is over.
        """
        return (
            self._deadline is not None
            and self._clock.monotonic() >= self._deadline
        )

    def _round(self) -> float:
        """
        Give each ring its turn; return the seconds to wait then.
        """
        self._roster.scan(self._clock.monotonic())
        self._is_sending = self._is_backlog_sending = is_busy = False
        for ring in self._roster.rings:
            if self._is_stopping or self._is_late():
                return 0.0
            if self._turn_to(ring):
                self._is_sending = True
                is_busy |= ring.is_busy
                is_busy |= self._turn_to_backlog()
        self._roster.drop_done()
        if not self._is_sending:
            is_busy = self._turn_to_backlog()
        if is_busy or self._is_sending:
            self._pause = SHORTEST
            return 0.0 if is_busy else SHORTEST
        pause, self._pause = self._pause, min(1.25 * self._pause, LONGEST)
        return pause

    def _turn_to(self, ring: AdoptedRing) -> bool:
        """
        Give one ring its turn. A failure is a defect of ours, or memory ran
        out: the ring is let go of and found again by the next scan.
        """
        try:
            ring.relieve()
            return ring.turn(self._timeout)
        except Exception as error:
            self._note_defect(error)
            ring.close()
            return False

    def _turn_to_backlog(self) -> bool:
        """
        Send a batch of the backlog, where no ring fills meanwhile.
        """
        now = self._clock.monotonic()
        if not self._makers.outage.may_try(now) or any(
            ring.is_busy and ring.is_crowded for ring in self._roster.rings
        ):
            return False
        self._is_backlog_sending = self._backlog.turn(now, self._timeout)
        return self._is_backlog_sending

    def _is_through(self) -> bool:
        """
        Whether all that was found is sent, or can get no further.
        """
        now = self._clock.monotonic()
        if self._makers.outage.is_on:
            # There may be time for another try.
            return not self._is_finishing
        waiting = [one for one in self._roster.rings if not one.is_through]
        if waiting:
            if self._is_sending or not all(one.is_idle for one in waiting):
                self._stuck_since = None
                return False
            if self._stuck_since is None:
                self._stuck_since = now
            return now - self._stuck_since > PATIENCE
        if self._is_looking_last:
            return not self._is_backlog_sending
        if not self._roster.is_short:
            # What was in the rings may be in the backlog by now.
            self._is_looking_last = True
            self._backlog.hurry()
        return False

    def _is_all_sent(self) -> bool:
        """
        Whether nothing is left of what was found.
        """
        try:
            backlog = self._spool.backlog.names()
        except OSError:
            return False
        return not (
            backlog
            or self._makers.outage.is_on
            or self._makers.failures
            or any(not ring.is_through for ring in self._roster.rings)
        )

    def _note_defect(self, error: Exception) -> None:
        self._makers.failures += 1
        log(
            logging.CRITICAL,
            "relay",
            "the relay failed at something and goes on: %r",
            error,
        )

    def _close(self) -> None:
        """
        Let go of everything.
        """
        try:
            self._backlog.close()
            self._roster.close()
        finally:
            self._spool.close()
            self._transport.close()


def _check(options: Options) -> str:
    """
    The directory of options that fit a relay.

    Raises:
        OptionsError: They do not fit.
    """
    for name in ("transport_class", "retry_class"):
        if getattr(options, name) is not None:
            raise OptionsError(
                f"option {name}: given to a relay; allowed is None"
            )
    if options.spool_path is None:
        raise OptionsError(
            'option spool_dir: None given to a relay; allowed is "auto" or '
            "the path of a directory"
        )
    return options.spool_path
