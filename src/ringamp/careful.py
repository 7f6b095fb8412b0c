# SPDX-License-Identifier: MIT
"""
The careful lane: every event that is unusual, or that middleware wants to
see.

Nothing here raises into the application, unless the option *strict* asks for
it. Nothing takes a lock: these functions run in signal handlers and in
children of a fork as well.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from ringamp.bindings import (
    BAD_ID,
    FORKED,
    FULL,
    NO_EVENT_TYPE,
    NO_ID,
    TOO_BIG,
    UNCLEAN,
    UNUSUAL,
    WAKE,
    copy_event,
)
from ringamp.errors import InvalidEventError
from ringamp.events import Event
from ringamp.events.encoding import encode, encode_sendable
from ringamp.events.validation import (
    clean,
    event_type_fault,
    remove_bad_ids,
)
from ringamp.flusher.receipt import Receipt
from ringamp.logs import log
from ringamp.status import Response, Status
from ringamp.user_code import words_of

if TYPE_CHECKING:
    from ringamp.session import Session

BLOCK_STEP = 0.001
"""Seconds that a blocked call sleeps between two looks at a full ring: a
hundredth of what the flusher needs to make room for it to matter."""

NOT_INITIALISED = Receipt(
    None,
    0,
    Response(Status.SKIPPED, error="init was not called"),
)
OPTED_OUT = Receipt(None, 0, Response(Status.SKIPPED, error="opted out"))
NO_ROOM = Receipt(
    None,
    0,
    Response(Status.DROPPED, error="the buffer is full (buffer_bytes)"),
)
SHUT_DOWN = Receipt(
    None,
    0,
    Response(Status.DROPPED, error="the client is shut down"),
)

_MENDABLE = (BAD_ID, NO_ID, UNCLEAN)


def log_carefully(
    session: Session,
    event: dict[str, Any],
    living: Callable[[], Session],
) -> Receipt:
    """
    Log an event without middleware.

    Args:
        session: Where it goes, unless a fork has ended it.

        event: What the application gave.

        living: Gives this process's session.

    Raises:
        InvalidEventError: Only where *strict* is set.
    """
    receipt = end_carefully(session, _own_copy(event), living)
    if receipt.status is Status.INVALID:
        return refuse(session, receipt.reason or "")
    return receipt


def end_carefully(
    session: Session, event: Any, living: Callable[[], Session]
) -> Receipt:
    """
    Put an event that is ours to change into the ring; never raises, and
    leaves it to the caller to count an event that is invalid.
    """
    try:
        return _emit(session, as_dict(event), living)
    except InvalidEventError as error:
        return Receipt(None, 0, Response(Status.INVALID, error=str(error)))
    except Exception as error:
        reason = f"it could not be logged: {words_of(error)}"
        return Receipt(None, 0, Response(Status.INVALID, error=reason))


def refuse(session: Session, reason: str) -> Receipt:
    """
    Count an event that the service would not take.

    Raises:
        InvalidEventError: Only where *strict* is set.
    """
    session.counters.invalid.bump()
    if session.options.strict:
        raise InvalidEventError(reason)
    log(
        logging.WARNING,
        f"invalid {reason}",
        "an event is invalid and was not logged: %s",
        reason,
    )
    return Receipt(None, 0, Response(Status.INVALID, error=reason))


def _emit(
    session: Session, fields: dict[str, Any], living: Callable[[], Session]
) -> Receipt:
    """
    Put an event that is ours to change into the ring.
    """
    mended = False
    if session.has_defaults:
        _merge_defaults(session, fields)
    while True:
        payload = _encode(fields)
        at = session.push_dict(payload, fields)
        if at >= 0:
            if at & WAKE:
                session.wake()
            return Receipt(session.outcomes, at & ~UNUSUAL)
        if at == FORKED:
            session = living()
            if session.is_closed:
                return _turn_away(session)
        elif at == FULL:
            if not _wait_for_room(session, len(payload)):
                return drop_for_room(session)
        elif at in _MENDABLE and not mended:
            mended = True
            _mend(session, fields)
        else:
            raise InvalidEventError(_fault(at, fields, len(payload), session))


def _merge_defaults(session: Session, fields: dict[str, Any]) -> None:
    """
    Put the options' plan and ingestion metadata under the event's own.
    """
    for name in ("plan", "ingestion_metadata"):
        default = getattr(session.options, name)
        if default is None:
            continue
        own = fields.get(name) or {}
        if not isinstance(own, dict):
            own = _as_builtins(own)
        if isinstance(own, dict):
            fields[name] = {**msgspec.to_builtins(default), **own}


def _as_builtins(value: Any) -> Any:
    """
    A struct or dataclass as a dict; what cannot be one as it is, since the
    encoder says best what is wrong with it.
    """
    try:
        return msgspec.to_builtins(value)
    except Exception:
        return value


def _mend(session: Session, fields: dict[str, Any]) -> None:
    """
    Bring the event into the shape that the core knows.
    """
    clean(fields)
    for sentence in remove_bad_ids(fields, session.options.min_id_length):
        session.counters.ids_removed.bump()
        log(
            logging.WARNING,
            f"removed {sentence}",
            "an id was removed from an event: %s",
            sentence,
        )


def _wait_for_room(session: Session, length: int) -> bool:
    """
    Wait until the ring may have room, if the options ask for it.
    """
    options = session.options
    if options.on_full != "block" or session.is_flushing_thread():
        return False
    deadline = (
        None
        if options.block_timeout is None
        else time.monotonic() + options.block_timeout
    )
    session.make_room()
    while not session.has_room(length):
        if session.is_closed:
            return True  # The next push finds that out.
        if deadline is not None and time.monotonic() >= deadline:
            return False
        time.sleep(BLOCK_STEP)
    return True


def drop_for_room(session: Session) -> Receipt:
    """
    Count an event for which the ring has no room.
    """
    session.counters.refused.bump()
    log(
        logging.ERROR,
        "no room",
        "the buffer of %d bytes is full; events are dropped",
        session.ring.capacity,
    )
    return NO_ROOM


def _turn_away(session: Session) -> Receipt:
    """
    Count an event that comes after the shutdown.
    """
    session.counters.refused.bump()
    log(
        logging.WARNING,
        "shut down",
        "an event was logged after shutdown; it is dropped",
    )
    return SHUT_DOWN


def as_dict(event: Any) -> dict[str, Any]:
    """
    What `log_event` was given, as a dict with the wire names.

    Raises:
        InvalidEventError: It is no event.
    """
    if type(event) is dict:
        return event
    try:
        if isinstance(event, Event):
            return event.to_dict()
        if isinstance(event, Mapping):
            return dict(event)
    except Exception as error:
        raise InvalidEventError(
            f"event: {type(event).__name__} cannot be read: {words_of(error)}",
        ) from error
    raise InvalidEventError(
        f"event: {type(event).__name__} given, a dict or an Event is allowed",
    )


def _own_copy(event: dict[str, Any]) -> dict[str, Any]:
    try:
        return copy_event(event)
    except ValueError:
        # Nested too deeply to copy; the encoder says where.
        return dict(event)


def _encode(fields: dict[str, Any]) -> bytes:
    try:
        return encode(fields)
    except Exception:
        return encode_sendable(fields)


def _fault(
    code: int, fields: dict[str, Any], length: int, session: Session
) -> str:
    """
    Put a code of the core into words.
    """
    if code == NO_EVENT_TYPE:
        return event_type_fault(fields)
    if code == TOO_BIG:
        return (
            f"the event has {length} bytes of JSON, at most "
            f"{session.ring.max_event} fit into a request and the buffer"
        )
    return f"the core refuses the event (code {code})"
