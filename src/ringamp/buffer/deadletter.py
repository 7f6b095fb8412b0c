# SPDX-License-Identifier: MIT
"""
What the service refused for good, with its reason: one line an event.

    <YYYY-MM-DD>.ndjson, <YYYY-MM-DD>.1.ndjson, ...      the day in UTC

A line is {"time":ms,"reason":...,"status":...,"status_code":...,"event":...}.

Several processes write to one file, each whole lines in one call. A file that
has grown large is not renamed under the others: the next number is begun, so
no line can be lost by it. A reader skips empty lines, and a line that a
killed process left unfinished.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

import msgspec

from ringamp.buffer.folder import Folder

REASON_LENGTH = 500
"""The characters of a reason that are kept."""

PARTS = 4
"""When room is needed, about this part of it is made at once."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_NAME = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:\.([1-9]\d{0,8}))?\.ndjson", re.ASCII
)


class Page(NamedTuple):
    """
    What the name of a file says; in the order they were written.
    """

    day: str
    number: int

    @classmethod
    def read(cls, name: str) -> Page | None:
        """
        Read a name, None where it is none of ours.
        """
        match = _NAME.fullmatch(name)
        return match and cls(match[1], int(match[2] or 0))

    def __str__(self) -> str:
        number = f".{self.number}" if self.number else ""
        return f"{self.day}{number}.ndjson"


class DeadLetters:
    """
    The dead letters of one folder.

    Args:
        folder: Where they are; not closed here.

        max_bytes: How large they may become together; the oldest go first.
    """

    def __init__(self, folder: Folder, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    def put(
        self,
        events: Sequence[bytes],
        *,
        now_ms: int,
        reason: str,
        status: str,
        status_code: int,
    ) -> list[str]:
        """
        Store *events*, each a JSON object; they are there when this returns.

        Args:
            events: As they were sent.

            now_ms: The wall clock.

            reason: Why, in words; without the API key.

            status: The class of the answer.

            status_code: The HTTP status.

        Returns:
            The names of old files that were removed to make room.

        Raises:
            SpoolError: What lies there is no file of ours.
            OSError: They could not be stored, or never fit.
        """
        data = _lines(events, now_ms, reason, status, status_code)
        if len(data) > self._max_bytes:
            raise OSError(
                errno.EFBIG,
                f"{len(data)} bytes of dead letters; "
                f"{self._max_bytes} are allowed",
                self._folder.path,
            )
        day = (_EPOCH + timedelta(milliseconds=now_ms)).date().isoformat()
        sizes = {
            page: self._folder.size(str(page))
            for page in map(Page.read, self._folder.names())
            if page is not None
        }
        page = max(
            (one for one in sizes if one.day == day), default=Page(day, 0)
        )
        size = sizes.get(page, 0)
        if size and size + len(data) > self._max_bytes // PARTS:
            page = Page(day, page.number + 1)
        removed = self._make_room(sizes, len(data), page)
        self._folder.append(str(page), data)
        return removed

    def _make_room(
        self, sizes: dict[Page, int], wanted: int, current: Page
    ) -> list[str]:
        """
        Remove the oldest files until *wanted* bytes fit beside the rest.
        """
        removed = []
        used = sum(sizes.values())
        for page in sorted(sizes.keys() - {current}):
            if used + wanted <= self._max_bytes:
                break
            self._folder.unlink(str(page))
            used -= sizes[page]
            removed.append(str(page))
        return removed


def _lines(
    events: Sequence[bytes],
    now_ms: int,
    reason: str,
    status: str,
    status_code: int,
) -> bytes:
    """
    Make one line an event, its bytes as they are.
    """
    about = {
        "time": now_ms,
        # What cannot be encoded may come from an exception's words.
        "reason": reason[:REASON_LENGTH].encode("utf-8", "replace").decode(),
        "status": str(status),
        "status_code": status_code,
    }
    before = msgspec.json.encode(about)[:-1] + b',"event":'
    return b"".join(
        # Outside of strings a line's end is white space, inside it is none.
        before + event.replace(b"\n", b" ").replace(b"\r", b" ") + b"}\n"
        for event in events
    )
