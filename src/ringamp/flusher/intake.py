# SPDX-License-Identifier: MIT
"""
Events out of a source, as batches whose room is kept until their ends, where
anything but this process may need it.

A ring gives room back in order only, and ends come in any order: a batch of
later events may be answered before an earlier one. So each batch, or each
window that was dealt out, has a pin, and the ring goes on as far as the
oldest pin that still holds.
"""

from __future__ import annotations

from collections import deque

from ringamp.buffer.batch import Batch, Pin
from ringamp.buffer.window import Window
from ringamp.flusher.source import RingSource, Source
from ringamp.transport.payload import Envelope


class Intake:
    """
    Takes the events of one source.

    Args:
        source: Where they come from.

        ring: The same where it is a ring, None where it is not.

        envelope: Head and tail of every body.
    """

    def __init__(
        self, source: Source, ring: RingSource | None, envelope: Envelope
    ) -> None:
        self._source = source
        self._ring = ring
        self._envelope = envelope
        self._pins: deque[tuple[Pin, int]] = deque()

    def fill(self, max_count: int, max_bytes: int) -> Batch | None:
        """
        Take the next events; None where there are none.
        """
        batch = self._source.fill(
            self._envelope.head,
            self._envelope.tail,
            max_count=max_count,
            max_bytes=max_bytes,
        )
        if batch is not None and batch.end is not None:
            batch.pins = self._pin(batch.count, batch.end)
        return batch

    def deal(
        self, tracks: int, max_count: int, max_bytes: int
    ) -> tuple[Window, list[Batch]] | None:
        """
        Take the next events of a ring, a batch for each track that has any
        of them; None where there are none.
        """
        dealt = self._ring and self._ring.deal(
            self._envelope.head,
            self._envelope.tail,
            tracks=tracks,
            max_count=max_count,
            max_bytes=max_bytes,
        )
        if not dealt:
            return None
        window, batches = dealt
        if batches[0].end is not None:
            pin = self._pin(window.left, window.end)
            for batch in batches:
                batch.pins = pin
        return dealt

    def _pin(self, count: int, end: int) -> Pin:
        pin = Pin(count, self._release, in_ring=True)
        self._pins.append((pin, end))
        return pin

    def _release(self) -> None:
        """
        Give back the room before the oldest event that has no end.
        """
        end = None
        while self._pins and self._pins[0][0].left == 0:
            end = self._pins.popleft()[1]
        if end is not None and self._ring is not None:
            self._ring.release(end)
