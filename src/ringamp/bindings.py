# SPDX-License-Identifier: MIT
"""
The C core as Python sees it: the only module that imports `_native`.

Two faces. The hot path is builtins that keep the GIL, fetched once through
`ctypes.PyDLL`; they answer a position or one of the codes below, and never
raise but for a wrong kind of argument. The cold path is cffi, which releases
the GIL around each call. No policy in here.
"""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import orjson

from ringamp import _native
from ringamp.errors import NativeError

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

ffi: Final = _native.ffi
lib: Final = _native.lib

_failed = lib.ra_generation_setup()
if _failed:
    raise NativeError(
        f"cannot set up fork detection: {os.strerror(_failed)}",
    )

# PyDLL, not CDLL: the functions touch Python objects and need the GIL.
_dll = ctypes.PyDLL(_native.__file__)
_dll.ra_builtins.restype = ctypes.py_object
_dll.ra_builtins.argtypes = [ctypes.py_object, ctypes.py_object]
_dll.ra_bind.restype = ctypes.py_object
_dll.ra_bind.argtypes = [ctypes.c_void_p, ctypes.py_object]
# These two keep the GIL, so that no fork of Python's comes between opening
# a descriptor and registering it.
_dll.ra_lease_open.restype = ctypes.c_int
_dll.ra_lease_open.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
_dll.ra_lease_close.restype = None
_dll.ra_lease_close.argtypes = [ctypes.c_int]
# As do these, which take less time than getting the GIL back may.
_dll.ra_signals_block.restype = ctypes.c_uint64
_dll.ra_signals_block.argtypes = []
_dll.ra_signals_unblock.restype = None
_dll.ra_signals_unblock.argtypes = [ctypes.c_uint64]
_dll.ra_thread_start.restype = ctypes.py_object
_dll.ra_thread_start.argtypes = [ctypes.py_object, ctypes.py_object]

ENCODE_OPTION: Final[int] = orjson.OPT_PASSTHROUGH_DATACLASS
"""
Makes orjson refuse dataclasses, which then take the careful road: version
3.13 crashes the process on one with slots of which one is not set.
"""

_builtins: dict[str, Any] = _dll.ra_builtins(orjson.dumps, ENCODE_OPTION)

FULL: Final[int] = _builtins["FULL"]
"""No room in the ring."""

TOO_BIG: Final[int] = _builtins["TOO_BIG"]
"""The event is larger than a request may be."""

FORKED: Final[int] = _builtins["FORKED"]
"""The ring belongs to another generation, or is closed."""

NO_EVENT_TYPE: Final[int] = _builtins["NO_EVENT_TYPE"]
"""The event type is missing, no string, or blank."""

NO_ID: Final[int] = _builtins["NO_ID"]
"""Neither user_id nor device_id is there."""

BAD_ID: Final[int] = _builtins["BAD_ID"]
"""An id is there that the service would remove or refuse."""

UNCLEAN: Final[int] = _builtins["UNCLEAN"]
"""A field that the core looks at is None or of an unusual type."""

UNDER_WAY: Final[int] = _builtins["UNDER_WAY"]
"""The position of a passage whose end was not reached."""

AGAIN: Final[int] = _builtins["AGAIN"]
"""The end of a passage was reached a second time."""

ID_FINE: Final[int] = _builtins["ID_FINE"]
ID_ABSENT: Final[int] = _builtins["ID_ABSENT"]
ID_NO_STRING: Final[int] = _builtins["ID_NO_STRING"]
ID_SHORT: Final[int] = _builtins["ID_SHORT"]
ID_REFUSED: Final[int] = _builtins["ID_REFUSED"]

WAKE: Final = 1
"""Added to a position: the caller must wake the flusher."""

UNUSUAL: Final = 7
"""
Positions are multiples of 8; WAKE and the codes are odd. So these bits of an
answer say whether there is anything to do but make a receipt.
"""

copy_event: Final[Callable[[dict[str, Any]], dict[str, Any]]] = _builtins[
    "copy_event"
]
"""
Copy a dict and all dicts and lists in it; other values are shared. Raises
ValueError where they are nested deeper than 100 levels.
"""

enter_unpushed: Final[Callable[..., Any]] = _builtins["enter_unpushed"]
"""As `Pushers.enter`, for an entrance that hands every event on as UNCLEAN."""

know_struct: Final[Callable[..., bool]] = _builtins["know_struct"]
"""
Teach the core where a type of struct has its fields, so that it takes such
an object as it takes a dict. Takes a sample, the names that its fields have
in the dict, and their values in the sample, which nothing else may hold.
False if that cannot be seen.
"""

set_fields: Final[Callable[[object], dict[str, Any] | None]] = _builtins[
    "set_fields"
]
"""
Give the fields of a struct that are not None, and those of structs in it,
under their names in the dict. None if its type is not known.
"""

check_id: Final[Callable[[object, int, bool], int]] = _builtins["check_id"]
"""
Say what is wrong with an id: one of the ID_ values. Takes the id, the least
number of characters, and whether it is a device's.
"""

ADDED_MAX: Final[int] = lib.RA_ADDED_MAX
"""Bytes the splice adds to an event at most, beside the library's name."""

RECORD_HEADER: Final[int] = lib.RA_RECORD_HEADER
HEADER_SIZE: Final[int] = lib.RA_HEADER_SIZE
RING_ID_SIZE: Final[int] = lib.RA_RING_ID_SIZE
PROJECT_SIZE: Final[int] = lib.RA_PROJECT_SIZE
CHECKED: Final[int] = lib.RA_CHECKED
HEAD_OFFSET: Final[int] = lib.RA_HEAD_OFFSET
CAPACITY_MIN: Final[int] = lib.RA_CAPACITY_MIN
CAPACITY_MAX: Final[int] = lib.RA_CAPACITY_MAX

lease_open: Final[Callable[[int, bytes, int], int]] = _dll.ra_lease_open
"""
Open a file in a directory, for a lock: a descriptor, or a negative errno.
Takes the directory's descriptor, the name, and whether to create it.
"""

lease_close: Final[Callable[[int], None]] = _dll.ra_lease_close
"""Unlock and close a descriptor of `lease_open`."""

block_signals: Final[Callable[[], int]] = _dll.ra_signals_block
"""
Have the calling thread take no signal that is sent to the whole process.
Gives the set of those it took until now, as bits.
"""

unblock_signals: Final[Callable[[int], None]] = _dll.ra_signals_unblock
"""Have the calling thread take these signals again."""

thread_start: Final[Callable[[object, Callable[[int], None]], object]] = (
    _dll.ra_thread_start
)
"""
Have a function like `_thread.start_new_thread`, the first argument, start a
thread that takes no signal which is sent to the whole process. It calls the
second with those that the caller takes. One step of the interpreter.
"""

generation: Final[Callable[[], int]] = lib.ra_generation
"""This process's generation; 0 in a child that has not renewed it yet."""

renew_generation: Final[Callable[[], int]] = lib.ra_generation_renew
"""Begin a generation where a fork ended the last; all callers get the same."""


def receipt_type(methods: type[_T]) -> type[_T]:
    """
    Give the core's type of receipts the methods of a class, and take the
    place of that class.
    """
    made: type[_T] = _builtins["Receipt"]
    for name, value in vars(methods).items():
        if name not in ("__dict__", "__slots__", "__weakref__"):
            setattr(made, name, value)
    return made


class Pushers(NamedTuple):
    """
    The builtins of one ring.

    Attributes:
        push_event: Encodes a dict, or a struct that is known, and pushes
            it; UNCLEAN for all else, and for what the encoder refuses.

        push_dict: Pushes a dict that was encoded already.

        enter: Makes an entrance (see entrance.c) of what receipts find
            their outcomes with, and what is called with an event, extra, and
            its position or code when something is unusual, and answers the
            receipt. Gives two builtins that take
            an event and extra: one logs and answers the receipt, the other
            begins a passage through middleware (see passage.c).

        close: Refuses all later pushes, and returns when all earlier ones
            are committed.
    """

    push_event: Callable[[Any], int]
    push_dict: Callable[[bytes, dict[str, Any]], int]
    enter: Callable[..., Any]
    close: Callable[[], None]


def bind(ring: Any, owner: object) -> Pushers:
    """
    Make the builtins of *ring*, a `struct ra_ring *`; they keep *owner*
    alive, which must keep the ring's memory alive.
    """
    address = int(ffi.cast("uintptr_t", ring))
    return Pushers(**_dll.ra_bind(address, owner))


def wipe_on_fork(address: Any, length: int) -> bool:
    """
    Have the kernel zero these pages in a child; False where it cannot.
    """
    return bool(lib.ra_wipe_on_fork(address, length) == 0)
