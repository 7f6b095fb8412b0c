# SPDX-License-Identifier: MIT
"""
A window: a run of a ring that was dealt out to several uploads.

Its events leave in several batches and get their ends in any order, but
whoever asks for an event's outcome, and the ring whose room is given back in
order, think in runs of positions. So the run is kept whole here: an outcome
a share where all of it had the same, which costs nothing an event, and one
an event elsewhere.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import repeat
from operator import itemgetter
from typing import NamedTuple

from ringamp.status import Response


def bare(response: Response) -> Response:
    """
    What is kept of a response for long: all but its body.
    """
    return Response(
        response.status, response.status_code, error=response.error
    )


class Window:
    """
    The ring positions [start, end), dealt out.

    Any thread may ask *find* at any time; one at a time settles, and each
    event once.

    Args:
        start: Its first position.

        end: The one behind its last.

        positions: Of each share, those of its events, ascending.

    Attributes:
        left: How many events have no outcome so far.
    """

    __slots__ = ("_odd", "_positions", "_responses", "end", "left", "start")

    def __init__(
        self, start: int, end: int, positions: Sequence[Sequence[int]]
    ) -> None:
        self.start = start
        self.end = end
        self.left = sum(map(len, positions))
        self._positions = positions
        self._responses: list[Response | None] = [None] * len(positions)
        self._odd: dict[int, Response] = {}

    def find(self, position: int) -> Response | None:
        """
        The outcome of the event at *position*, None while it has none.
        """
        odd = self._odd.get(position)
        if odd is not None:
            return odd
        for positions, response in zip(
            self._positions, self._responses, strict=True
        ):
            if response is None:
                continue
            at = bisect_left(positions, position)
            if at < len(positions) and positions[at] == position:
                return response
        return None

    def settle(self, position: int, response: Response) -> None:
        """
        Say what became of one event.
        """
        self._odd[position] = response
        self.left -= 1

    def settle_share(self, track: int, response: Response) -> None:
        """
        Say what became of all events of a share.
        """
        self._responses[track] = response
        self.left -= len(self._positions[track])

    def first_of(self, track: int) -> int:
        """
        The position of a share's first event.
        """
        return self._positions[track][0]

    def runs(self) -> list[tuple[int, int, Response]]:
        """
        Once nothing is left: the outcomes without their bodies, as runs of
        positions that share one and together are the whole window.
        """
        known = [bare(one) for one in self._responses if one is not None]
        if not self._odd and known.count(known[0]) == len(known):
            return [(self.start, self.end, known[0])]
        told = [(at, bare(response)) for at, response in self._odd.items()]
        for positions, response in zip(
            self._positions, self._responses, strict=True
        ):
            if response is not None:
                told += zip(positions, repeat(bare(response)), strict=False)
        told.sort(key=itemgetter(0))
        begun: list[tuple[int, Response]] = []
        for position, response in told:
            if not begun or begun[-1][1] != response:
                begun.append((position if begun else self.start, response))
        ends = [*(start for start, _ in begun[1:]), self.end]
        return [
            (start, end, response)
            for (start, response), end in zip(begun, ends, strict=True)
        ]


class Share(NamedTuple):
    """
    What one upload gets of a window.
    """

    window: Window
    track: int
