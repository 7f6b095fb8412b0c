# SPDX-License-Identifier: MIT
"""
A ring: many threads push, one flusher fills and releases.
"""

from __future__ import annotations

from ringamp.bindings import bind, lib, renew_generation
from ringamp.buffer.outlet import Outlet
from ringamp.buffer.region import Region


class Ring(Outlet):
    """
    The ring of one process.

    *push_event* and *push_dict* may be called by any thread at any time.
    They answer a position, with `WAKE` added where the caller must wake the
    flusher, or a code of `bindings`. All other methods that change anything
    belong to the one thread that flushes.

    Args:
        region: Where it lives; formatted.

        min_id_length: In characters, for user and device ids.

        max_event: Bytes that one event may have in a request.

        library: What the field *library* says where an event has none.

        keeps: Whether what was taken keeps its room until `release`.

        tracks: How many uploads there are at a time.
    """

    def __init__(
        self,
        region: Region,
        *,
        min_id_length: int,
        max_event: int,
        library: bytes,
        keeps: bool = True,
        tracks: int = 1,
    ) -> None:
        renew_generation()
        super().__init__(region, library=library, keeps=keeps)
        self._ring.generation = self.generation
        self._ring.min_id_length = min_id_length
        self._ring.is_dealt = tracks > 1
        self.spares *= tracks
        self._ring.max_payload = min(
            self._ring.max_payload,
            max_event - self._added,
        )
        self.push_event, self.push_dict, self.enter, self._close = bind(
            self._ring,
            (self._ring, self._region),
        )

    @property
    def max_event(self) -> int:
        """
        Bytes of JSON above which an event is TOO_BIG.
        """
        return int(self._ring.max_payload)

    @property
    def refused(self) -> int:
        """
        How many pushes found no room.
        """
        return int(lib.ra_ring_refused(self._ring))

    @property
    def delivered(self) -> int:
        """
        How many of its events a relay has delivered.
        """
        return int(lib.ra_ring_delivered(self._ring))

    @property
    def rejected(self) -> int:
        """
        How many of its events the service refused to a relay.
        """
        return int(lib.ra_ring_rejected(self._ring))

    @property
    def dropped(self) -> int:
        """
        How many of its events a relay gave up.
        """
        return int(lib.ra_ring_dropped(self._ring))

    def close(self) -> None:
        """
        Refuse all later pushes: they answer FORKED.

        When this returns, every push that was not refused has been
        committed. A push keeps the GIL from its first look at the generation
        to its commit, and so does this; without a GIL this waits for those
        in between (native/gate.h).
        """
        self._close()

    def arm(self, more: int, more_bytes: int) -> bool:
        """
        Ask to be woken when *more* records wait than now claimed, or when
        about *more_bytes* are in use. True if that is so already.
        """
        return bool(
            lib.ra_ring_arm(
                self._ring,
                self.claimed + more,
                int(lib.ra_ring_free(self._ring)) + more_bytes,
            ),
        )

    def disarm(self) -> None:
        """
        Ask not to be woken.
        """
        lib.ra_ring_disarm(self._ring)
