# SPDX-License-Identifier: MIT
"""
Tests of reading what wrk prints.
"""

import sys

import pytest

from benchmarks.webapp.load import Load, LoadError, find_wrk, put_load, read

PRINTED = """\
Running 5s test @ http://127.0.0.1:41013/order
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     5.12ms    1.01ms  21.40ms   93.20%
    Req/Sec     1.56k    81.22     1.71k    84.00%
  Latency Distribution
     50%    {p50}
     75%    5.31ms
     90%    5.80ms
     99%    {p99}
  {count} requests in 5.00s, 1.41MB read
{trouble}Requests/sec:   {rate}
Transfer/sec:    288.31KB
"""


def printed(p50="4.98ms", p99="9.87ms", count=7801, trouble="", rate=1559.71):
    """
    What wrk prints.
    """
    return PRINTED.format(
        p50=p50, p99=p99, count=count, trouble=trouble, rate=rate
    )


@pytest.mark.parametrize(
    ("shown", "millis"),
    [
        ("812.00us", 0.812),
        ("0.95ms", 0.95),
        ("5.00ms", 5.0),
        ("1.25s ", 1250.0),
        ("1.50m ", 90_000.0),
        ("1.00h ", 3_600_000.0),
    ],
)
def test_units_become_milliseconds(shown, millis):
    """
    Wrk chooses the unit by the size, for each figure by itself.
    """
    assert read(printed(p99=shown)) == Load(
        1559.71, 4.98, pytest.approx(millis)
    )
    assert read(printed(p50=shown)).p50 == pytest.approx(millis)


TROUBLE = {
    "timeouts": "  Socket errors: connect 0, read 0, write 0, timeout 3\n",
    "resets": "  Socket errors: connect 0, read 12, write 0, timeout 0\n",
    "refusals": "  Socket errors: connect 8, read 0, write 0, timeout 0\n",
    "writes": "  Socket errors: connect 0, read 0, write 1, timeout 0\n",
    "statuses": "  Non-2xx or 3xx responses: 20\n",
}


@pytest.mark.parametrize("name", TROUBLE)
def test_answers_that_are_none_are_errors(name):
    """
    Requests that failed would be in the figures as if they were fast.
    """
    with pytest.raises(LoadError, match=TROUBLE[name].strip()):
        read(printed(trouble=TROUBLE[name]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (printed(count=0, p50="0.00us", p99="0.00us"), "no request"),
        ("", "no figures"),
        (printed().replace("     99%", "     98%"), "no figures"),
        (printed().replace("Requests/sec", "Requests"), "no figures"),
        (printed(p99="-nan"), "no figures"),
        ("unable to connect to 127.0.0.1:1 Connection refused\n", "refused"),
    ],
)
def test_missing_figures_are_errors(text, said):
    """
    Nothing is made up where wrk printed less than it does.
    """
    with pytest.raises(LoadError, match=said):
        read(text)


def test_a_number_of_errors_without_any_is_fine():
    """
    Only what is not zero is trouble.
    """
    none = "  Socket errors: connect 0, read 0, write 0, timeout 0\n"

    assert read(printed(trouble=none)).rate == 1559.71


@pytest.mark.process
def test_a_program_that_fails_is_told():
    """
    With what it said.
    """
    with pytest.raises(LoadError, match="wrk failed"):
        put_load(sys.executable, "http://127.0.0.1:1/", 1)


@pytest.mark.process
def test_nobody_there_is_told():
    """
    By the real wrk, which prints no figures then.
    """
    wrk = find_wrk()
    if wrk is None:
        pytest.skip("no wrk: apt-get install wrk")
    with pytest.raises(LoadError, match="refused"):
        put_load(wrk, "http://127.0.0.1:1/", 1)
