# SPDX-License-Identifier: MIT
"""
Build the extension `ringamp._native`: the C core behind cffi.

GIL policy: what is declared in `ringamp.cdef.h` is called through cffi's own
wrappers, which release the GIL; the hot path is `hotpath.c`, whose functions
keep it and are fetched through `ctypes.PyDLL` (see `bindings.py`).

Environment variables, for development:

    RINGAMP_WERROR=1            warnings are errors
    RINGAMP_SANITIZE=address,undefined | thread
    RINGAMP_DEBUG=1             the ring's invariants are asserted
"""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
"""Whether this Python is built to run without a GIL."""

SOURCES = [
    "ring.c",
    "recover.c",
    "crc32c.c",
    "deal.c",
    "splice.c",
    "fill.c",
    "idcheck.c",
    "generation.c",
    "lease.c",
    "signals.c",
    "thread.c",
    "hotpath.c",
    "fields.c",
    "copy.c",
    "entrance.c",
    "holder.c",
    "passage.c",
    "structs.c",
]

PREAMBLE = """
#include "ring.h"
#include "recover.h"
#include "deal.h"
#include "splice.h"
#include "fill.h"
#include "crc32c.h"
#include "generation.h"
#include "lease.h"
"""


def compile_flags() -> list[str]:
    """
    Say how the C files are compiled.
    """
    flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-fvisibility=hidden"]
    if FREE_THREADED:
        # cffi's command line and its C file define it in two ways.
        flags += ["-U_CFFI_NO_LIMITED_API", "-D_CFFI_NO_LIMITED_API="]
    if os.environ.get("RINGAMP_WERROR"):
        flags.append("-Werror")
    if os.environ.get("RINGAMP_DEBUG"):
        flags.append("-DRA_DEBUG")
    return flags + sanitizer_flags()


def sanitizer_flags() -> list[str]:
    """
    Say which sanitizers are compiled in; they are linked as well.
    """
    wanted = os.environ.get("RINGAMP_SANITIZE")
    if not wanted:
        return []
    return [f"-fsanitize={wanted}", "-fno-omit-frame-pointer", "-g"]


def macros() -> list[tuple[str, str | None]]:
    """
    Choose the stable ABI of 3.10, the first that has METH_FASTCALL in it,
    where there is a stable ABI: not on a free-threaded build, whose rings
    have gates.
    """
    if FREE_THREADED:
        return [("RINGAMP_FREE_THREADED", None)]
    return [("Py_LIMITED_API", "0x030A0000")]


ffi = FFI()
ffi.cdef((HERE / "ringamp.cdef.h").read_text(encoding="utf-8"))
ffi.set_source(
    "ringamp._native",
    PREAMBLE,
    sources=[os.path.relpath(HERE / name) for name in SOURCES],
    # What a source package needs besides, and what to compile anew after.
    depends=[
        os.path.relpath(path) for path in (*HERE.glob("*.h"), Path(__file__))
    ],
    include_dirs=[str(HERE)],
    define_macros=macros(),
    extra_compile_args=compile_flags(),
    extra_link_args=sanitizer_flags(),
    libraries=["pthread"],
    py_limited_api=not FREE_THREADED,
)

if __name__ == "__main__":
    ffi.compile(verbose=True)
