# SPDX-License-Identifier: MIT
"""
Several requests at a time: a thread for each track, which sends what it is
given and knows nothing else.

The thread that flushes gives out batches and takes the answers; policy,
receipts, counters and callbacks stay with it alone. A track's thread is
started by its first batch and ends when the flusher closes. It sleeps on a
lock of its own, so one that has nothing to send never wakes.

What the threads run as is chosen where the flusher's was (threads.py), and
for the same reasons the copy of a greenlet in a forked child must end at its
first step.
"""

from __future__ import annotations

import _thread
import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from ringamp.bindings import generation
from ringamp.buffer.batch import Batch
from ringamp.flusher.exchange import Exchange
from ringamp.flusher.prefork import forks_unseen
from ringamp.flusher.senders import Senders
from ringamp.flusher.threads import Kind, kind_here
from ringamp.logs import log
from ringamp.status import Response, Status

FAULT = Response(
    Status.SYSTEM_ERROR,
    error="an internal error of ringamp; the log has it",
)


class Upload:
    """
    The thread of one track.

    Args:
        exchange: How it sends.

        answered: Called with each batch and its answer.

        kind: What it runs as.

        senders: Where it notes that it sends.

    Raises:
        RuntimeError: No thread can be started.
    """

    def __init__(
        self,
        exchange: Exchange,
        answered: Callable[[Batch, Response], None],
        kind: Kind,
        senders: Senders,
    ) -> None:
        self._exchange = exchange
        self._senders = senders
        self._answered = answered
        self._generation = generation()
        self._given: Any = kind.make_locked()
        self._task: tuple[Batch, float] | None = None
        kind.starter(self._run)()

    def send(self, batch: Batch, timeout: float) -> None:
        """
        Have *batch* sent within *timeout* seconds. The one before must have
        been answered.
        """
        self._task = (batch, timeout)
        self._given.release()

    def close(self) -> None:
        """
        Have the thread end, once it has sent what it is sending.
        """
        self._given.release()

    def _run(self) -> None:
        with self._senders:
            self._send()

    def _send(self) -> None:
        while True:
            self._given.acquire()
            task, self._task = self._task, None
            if task is None or generation() != self._generation:
                return
            batch, timeout = task
            response = self._post(batch, timeout)
            del task
            if generation() != self._generation:
                # In a child, which user code has forked: the answer is the
                # parent's, and this thread must leave everything alone.
                _thread.exit()
            self._answered(batch, response)
            del batch

    def _post(self, batch: Batch, timeout: float) -> Response:
        """
        Send. A failure here is a defect of ours, or memory ran out; it is
        answered like one of the network, so the batch is sent again.
        """
        try:
            return self._exchange.post(batch, timeout)
        except Exception as error:
            log(
                logging.CRITICAL,
                "upload",
                "an upload failed and goes on: %r",
                error,
            )
            return FAULT


class Uploads:
    """
    The uploads of one delivery.

    Args:
        exchange: How they send; from several threads at a time.

        count: How many; a track each.

        senders: Where their threads are noted.
    """

    def __init__(
        self, exchange: Exchange, count: int, senders: Senders | None = None
    ) -> None:
        self._exchange = exchange
        self._senders = senders or Senders()
        self.count = count
        self._notify: Callable[[], None] = _nobody
        self._uploads: dict[int, Upload] = {}
        self._sending: set[int] = set()
        self._answers: deque[tuple[Batch, Response]] = deque()

    def listen(self, notify: Callable[[], None]) -> None:
        """
        Have *notify* called, in an upload's thread, whenever an answer has
        come.
        """
        self._notify = notify

    def start(self, track: int, batch: Batch, timeout: float) -> bool:
        """
        Have *batch* sent; False where there is no thread for it, as at the
        interpreter's exit, or may be none, as in uWSGI's master.
        """
        upload = self._uploads.get(track)
        if upload is None:
            if forks_unseen():
                return False
            try:
                upload = Upload(
                    self._exchange, self._note, kind_here(), self._senders
                )
            except RuntimeError:
                return False
            self._uploads[track] = upload
        self._sending.add(track)
        upload.send(batch, timeout)
        return True

    def is_sending(self, track: int | None) -> bool:
        """
        Whether the track has a batch whose answer was not taken.
        """
        return track in self._sending

    def answers(self) -> Iterator[tuple[Batch, Response]]:
        """
        Take the answers that have come, each with its batch.
        """
        with suppress(IndexError):
            while True:
                batch, response = self._answers.popleft()
                if batch.track is not None:
                    self._sending.discard(batch.track)
                yield batch, response

    def close(self) -> None:
        """
        End the threads; one that is inside a request ends after it.
        """
        uploads, self._uploads = self._uploads, {}
        for upload in uploads.values():
            upload.close()

    def _note(self, batch: Batch, response: Response) -> None:
        self._answers.append((batch, response))
        self._notify()


def _nobody() -> None:
    """
    What is called before somebody listens.
    """
