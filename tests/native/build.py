# SPDX-License-Identifier: MIT
"""
Compile and run the C tests: by pytest (`test_native.py`), for mutants
(`mutations.py`), and by hand in their long forms:

    python tests/native/build.py stress --records 20000000
    python tests/native/build.py stress --records 20000000 --sanitize thread
    python tests/native/build.py shared --records 20000000
    python tests/native/build.py stress --laps 655360 --start 12884901888
    python tests/native/build.py wrap 100000

The fourth is the wraparound soak: 10 x 2^16 laps of the smallest ring, the
first half of them before the position at which a stamp's 32 bits would end.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
NATIVE = HERE.parents[1] / "native"

FLAGS = [
    "-std=c11",
    "-O2",
    "-g",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-pedantic",
    "-DRA_DEBUG",
    "-pthread",
]

SANITIZERS = {
    "none": [],
    "address,undefined": [
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
    ],
    "thread": ["-fsanitize=thread"],
}


@dataclass(frozen=True)
class Program:
    """
    A C test: the sources of the core that it is linked with.
    """

    sources: tuple[str, ...]
    source: str = ""
    flags: tuple[str, ...] = ()


PROGRAMS = {
    "ring": Program(("ring.c", "crc32c.c")),
    "claim": Program(("ring.c", "crc32c.c")),
    # Compiles ring.c into itself, with its shared accesses looked at.
    "order": Program(("crc32c.c",)),
    "wake": Program(("ring.c", "crc32c.c")),
    "wrap": Program(("ring.c", "crc32c.c")),
    "gate": Program(("ring.c", "crc32c.c")),
    "splice": Program(("ring.c", "splice.c", "crc32c.c")),
    "fill": Program(("ring.c", "splice.c", "fill.c", "crc32c.c")),
    "deal": Program(("ring.c", "deal.c", "splice.c", "crc32c.c")),
    "recover": Program(("ring.c", "recover.c", "crc32c.c")),
    "damage": Program(("ring.c", "recover.c", "crc32c.c")),
    "header": Program(("ring.c", "recover.c", "crc32c.c")),
    "crc32c": Program(("crc32c.c",)),
    "idcheck": Program(("idcheck.c",)),
    "generation": Program(("ring.c", "crc32c.c", "generation.c", "lease.c")),
    # The same where the kernel does not wipe.
    "generation_no_wipe": Program(
        ("ring.c", "crc32c.c", "generation.c", "lease.c"),
        source="generation",
        flags=("-Dmadvise=no_madvise",),
    ),
    "lease": Program(("generation.c", "lease.c")),
    "lease_fork": Program(("generation.c", "lease.c")),
    "signals": Program(("signals.c",)),
    "stress": Program(("ring.c", "crc32c.c")),
    "shared": Program(
        ("ring.c", "recover.c", "crc32c.c", "generation.c", "lease.c"),
        flags=("-DRA_FAILPOINTS",),
    ),
}


def compilers() -> list[str]:
    """
    Say which C compilers this machine has.
    """
    return [name for name in ("gcc", "clang") if shutil.which(name)]


def compile_program(
    name: str,
    folder: Path,
    *,
    compiler: str | None = None,
    sanitizer: str = "none",
    native: Path = NATIVE,
) -> Path:
    """
    Compile a test against the core in *native*; a warning is an error.

    Raises:
        subprocess.CalledProcessError: The compiler refused.
    """
    program = PROGRAMS[name]
    target = folder / f"t_{name}"
    command = [
        compiler or compilers()[0],
        *FLAGS,
        *program.flags,
        *SANITIZERS[sanitizer],
        f"-I{native}",
        str(HERE / f"t_{program.source or name}.c"),
        *(str(native / source) for source in program.sources),
        "-o",
        str(target),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return target


def has_sanitizer(compiler: str, sanitizer: str, folder: Path) -> bool:
    """
    Say whether a program with this sanitizer can be linked and run.
    """
    source = folder / "probe.c"
    source.write_text("int main(void) { return 0; }\n", encoding="utf-8")
    probe = folder / "probe"
    built = subprocess.run(
        [compiler, *SANITIZERS[sanitizer], str(source), "-o", str(probe)],
        check=False,
        capture_output=True,
    )
    if built.returncode != 0:
        return False
    ran = subprocess.run([str(probe)], check=False, capture_output=True)
    return ran.returncode == 0


def main() -> int:
    """
    Compile one test and run it with the arguments that are its own.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("program", choices=sorted(PROGRAMS))
    parser.add_argument("--sanitize", choices=SANITIZERS, default="none")
    parser.add_argument("--compiler", default=None)
    options, arguments = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = compile_program(
                options.program,
                Path(folder),
                compiler=options.compiler,
                sanitizer=options.sanitize,
            )
        except subprocess.CalledProcessError as error:
            sys.stderr.write(error.stderr)
            return 2
        command = [str(path), *arguments]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
