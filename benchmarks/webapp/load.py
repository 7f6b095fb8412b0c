# SPDX-License-Identifier: MIT
"""
Runs wrk, and reads what it prints.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import NamedTuple

CONNECTIONS = 8
"""Requests under way at a time: four for each of two workers, so that none
of them ever waits for work."""

TIMEOUT = 10
"""Seconds after which a request has failed."""

PATIENCE = 20
"""Seconds that wrk may take beyond those it was told."""

INSTALL = (
    "this benchmark needs wrk, which loads the application: "
    "apt-get install wrk (Debian, Ubuntu), brew install wrk (macOS)"
)

MILLIS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60e3, "h": 3600e3}

# Units of one letter are padded to two.
LATENCY = re.compile(r"^ +(\d+)% +([\d.]+)(us|ms|s|m|h) ?$", re.MULTILINE)
COUNT = re.compile(r"^ +(\d+) requests in ", re.MULTILINE)
RATE = re.compile(r"^Requests/sec: +([\d.]+)$", re.MULTILINE)
TROUBLE = re.compile(
    r"^ +(Socket errors: .*[1-9].*|Non-2xx or 3xx responses: .*)$",
    re.MULTILINE,
)


class Load(NamedTuple):
    """
    What wrk has seen.

    Attributes:
        rate: Requests answered a second.

        p50: Milliseconds of a request, the median.

        p99: Milliseconds that 99 % of the requests did not exceed.
    """

    rate: float
    p50: float
    p99: float


class LoadError(RuntimeError):
    """
    The application did not answer every request as it should.
    """


def find_wrk() -> str | None:
    """
    Where wrk is; None if it is not installed.
    """
    return shutil.which("wrk")


def put_load(wrk: str, url: str, seconds: int) -> Load:
    """
    Ask for *url* over and over, for so many *seconds*.

    Raises:
        LoadError: wrk failed, or the application did.
    """
    command = [
        wrk,
        "--latency",
        *("--threads", "1"),
        *("--connections", str(CONNECTIONS)),
        *("--duration", f"{seconds}s"),
        *("--timeout", f"{TIMEOUT}s"),
        url,
    ]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=seconds + PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"wrk had not ended after {error.timeout} s") from None
    if done.returncode:
        raise LoadError(f"wrk failed: {done.stderr.strip() or done.stdout}")
    return read(done.stdout)


def read(printed: str) -> Load:
    """
    Read what wrk has *printed*.

    Raises:
        LoadError: Not all requests were answered well, or something that is
            always there is missing.
    """
    if trouble := TROUBLE.search(printed):
        raise LoadError(f"wrk met {trouble[1]}")
    rate, count = RATE.search(printed), COUNT.search(printed)
    latencies = {
        int(percent): float(value) * MILLIS[unit]
        for percent, value, unit in LATENCY.findall(printed)
    }
    if rate is None or count is None or not {50, 99} <= latencies.keys():
        raise LoadError(f"wrk printed no figures: {printed!r}")
    if not int(count[1]):
        raise LoadError("no request was answered")
    return Load(float(rate[1]), latencies[50], latencies[99])
