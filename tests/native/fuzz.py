# SPDX-License-Identifier: MIT
"""
Build and run the fuzzer of `recover.c`:

    python tests/native/fuzz.py --seconds 600
    python tests/native/fuzz.py --replay BASE64

The first prints libFuzzer's figures; of an input that fails, its report and
the argument of the second. The corpus begins empty, in a folder that is
deleted at the end: a minute finds again what an hour has found.
"""

from __future__ import annotations

import argparse
import base64
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import build

SOURCES = ["ring.c", "recover.c", "crc32c.c", "splice.c"]

FLAGS = [
    *("-std=c11", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-pedantic"),
    *("-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"),
]

LONGEST = 600
"""Bytes of an input: some hundred steps."""

TIME_OUT = 10
"""Seconds for one input; each takes some 30 us."""

PROBE = """
int LLVMFuzzerTestOneInput(const unsigned char *data, unsigned long size);
int LLVMFuzzerTestOneInput(const unsigned char *data, unsigned long size)
{ (void)data; (void)size; return 0; }
"""


def has_fuzzer(folder: Path) -> bool:
    """
    Say whether this machine's clang can link a fuzzer.
    """
    if not shutil.which("clang"):
        return False
    source = folder / "probe.c"
    source.write_text(PROBE, encoding="utf-8")
    done = subprocess.run(
        ["clang", *FLAGS, str(source), "-o", str(folder / "probe")],
        check=False,
        capture_output=True,
    )
    return done.returncode == 0


def compile_fuzzer(folder: Path, native: Path = build.NATIVE) -> Path:
    """
    Build the fuzzer of the core in *native*; a warning is an error.

    Raises:
        subprocess.CalledProcessError: The compiler refused.
    """
    target = folder / "fuzz_recover"
    command = [
        *("clang", *FLAGS, f"-I{native}", str(build.HERE / "fuzz_recover.c")),
        *(str(native / name) for name in SOURCES),
        *("-o", str(target)),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return target


def fuzz(
    fuzzer: Path, folder: Path, *, seconds: int, seed: int
) -> subprocess.CompletedProcess[str]:
    """
    Run the fuzzer for *seconds*, 0 for ever; seed 0 is another each time.
    """
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    command = [
        str(fuzzer),
        *(f"-max_total_time={seconds}", f"-seed={seed}"),
        *(f"-max_len={LONGEST}", f"-timeout={TIME_OUT}"),
        *("-print_final_stats=1", f"-artifact_prefix={folder}/failed-"),
        str(corpus),
    ]
    return subprocess.run(
        command,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def failures(folder: Path) -> list[str]:
    """
    Give the inputs that failed, in base64.
    """
    return [
        base64.b64encode(path.read_bytes()).decode("ascii")
        for path in sorted(folder.glob("failed-*"))
    ]


def replay(fuzzer: Path, folder: Path, text: str) -> int:
    """
    Run one input, and give the fuzzer's exit code.
    """
    path = folder / "input"
    path.write_bytes(base64.b64decode(text))
    return subprocess.run([str(fuzzer), str(path)], check=False).returncode


def main() -> int:
    """
    Run the fuzzer, or one input.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--replay", metavar="BASE64")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not has_fuzzer(folder):
            sys.stderr.write("clang has no libFuzzer here\n")
            return 2
        try:
            fuzzer = compile_fuzzer(folder)
        except subprocess.CalledProcessError as error:
            sys.stderr.write(error.stderr)
            return 2
        if options.replay:
            return replay(fuzzer, folder, options.replay)
        done = fuzz(fuzzer, folder, seconds=options.seconds, seed=options.seed)
        if done.returncode != 0:
            print(done.stdout)
            for text in failures(folder):
                print(f"python tests/native/fuzz.py --replay {text}")
            return 1
        for line in done.stdout.splitlines():
            if line.startswith(("INFO: Seed", "stat::")):
                print(line)
        return 0


if __name__ == "__main__":
    sys.exit(main())
