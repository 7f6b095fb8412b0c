# SPDX-License-Identifier: MIT
"""
Request bodies in gzip, for a client that was asked for it.

What it costs

    Level 1 in one go, outside the GIL, from the assembled body as it lies.
    ISA-L does it several times as fast as zlib, where the extra `fast` is
    installed; both write what every gzip reader reads.

Who may refuse it

    The service reads gzip. A proxy on the way may not, and then says 400 or
    415 of a body that is sound. But 400 is also how the service itself
    speaks of bad events. Two questions tell them apart:

        Did this answer come from somebody who read the body? It is a 2xx,
        or it names events or ids, or speaks of the API key. Then gzip was
        understood and the answer means what it says.

        If not: does the same body in plain fare better? It is sent at once,
        and its answer is the one that counts. Had it been read, gzip was to
        blame, and this client goes on without it.

    It is asked each time, not once: a proxy may appear, or be replaced,
    after thousands of bodies went well, and a 400 taken at its word makes an
    end of events. An answer that names nothing is rare, and the price is one
    more request.

Whose memory it is

    A transport's, so a forked child, which makes its own, begins anew. No
    lock: several threads may learn of a refusal at once, each repeats its
    own body, and one of them writes the warning.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Mapping

from ringamp.logs import log
from ringamp.status import Response
from ringamp.transport.payload import Body

THRESHOLD = 2048
"""Bytes up to which a body stays plain: it fits into two packets anyway."""

HEADER: Mapping[str, str] = {"Content-Encoding": "gzip"}

_LEVEL = 1
_GZIP_WBITS = 31

Codec = Callable[[Body], bytes]
"""Makes one gzip member of a body."""


def zlib_codec(body: Body) -> bytes:
    """
    The standard library's. An object, since `zlib.compress` has known the
    gzip format from 3.11 on only.
    """
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WBITS)
    return packer.compress(body) + packer.flush()


def installed() -> dict[str, Codec]:
    """
    What this installation has, the fastest first. Imported when a client asks
    for gzip, since most do not.

    Of ISA-L it is not the module with the interface of zlib: that works in
    some 300 KiB, taken from the system and given back for each body, which
    costs 66 page faults and half as much time again. The small working memory
    stays in the heap and in the cache, and packs no worse
    (`benchmarks.compression`).
    """
    try:
        from isal import igzip_lib  # noqa: PLC0415 - see above.
    except ImportError:  # The extra `fast` is not installed.
        return {"zlib": zlib_codec}

    def isal_codec(body: Body) -> bytes:
        return igzip_lib.compress(
            body,
            _LEVEL,
            igzip_lib.COMP_GZIP,
            igzip_lib.MEM_LEVEL_SMALL,
        )

    return {"isal": isal_codec, "zlib": zlib_codec}


_REFUSALS = frozenset({400, 415})
"""What a proxy that cannot read gzip says."""

_READ_FIELDS = (
    "events_with_invalid_fields",
    "events_with_missing_fields",
    "events_with_invalid_id_lengths",
    "silenced_events",
    "silenced_devices",
    "throttled_events",
    "throttled_users",
    "throttled_devices",
    "exceeded_daily_quota_users",
    "exceeded_daily_quota_devices",
)
"""Fields of an answer (HTTP V2 and batch API) that only who has read the
body can fill in. A *missing_field* is none of them: nothing is missing, so
whoever says so has not."""

_READ_ERROR = "invalid api key"
"""The same of an error: the key is in the body alone."""


def was_read(response: Response) -> bool:
    """
    Whether *response* comes from somebody who could read the body.
    """
    if 200 <= response.status_code < 300:
        return True
    body = response.body or {}
    error = str(body.get("error", "")).lower()
    return error.startswith(_READ_ERROR) or any(map(body.get, _READ_FIELDS))


class Compression:
    """
    Whether and how one client packs what it sends.

    Args:
        host: Where to, for the warning.

        is_asked: Whether the options ask for it.

    Attributes:
        codec: What packs.
    """

    def __init__(self, host: str, *, is_asked: bool) -> None:
        self._host = host
        # Popped by the first who learns of a refusal: that is atomic.
        self._on = [True] if is_asked else []
        self.codec: Codec = zlib_codec
        if is_asked:
            self.codec = next(iter(installed().values()))

    def pack(self, body: Body) -> bytes | None:
        """
        Pack *body*; None where it travels as it is: gzip is off, or it is
        too small, or would not get smaller.
        """
        if not self._on or len(body) <= THRESHOLD:
            return None
        packed = self.codec(body)
        return packed if len(packed) < len(body) else None

    def may_be_refused(self, response: Response) -> bool:
        """
        Whether the answer to a packed body may be about gzip, and the plain
        body is to be tried.
        """
        return response.status_code in _REFUSALS and not was_read(response)

    def learn(self, response: Response) -> None:
        """
        Take the answer to the plain body, after the packed one was refused.
        """
        if not was_read(response):
            return
        try:
            self._on.pop()
        except IndexError:
            return
        log(
            logging.WARNING,
            f"gzip {self._host} {id(self)}",
            "%s refuses gzip and takes the same request without; compression "
            "is off from now on",
            self._host,
        )
