# SPDX-License-Identifier: MIT
"""
Where the examples send: the URL that they are given as an argument or in
RINGAMP_URL, or else a local collector that is started here and ends with the
example.

    python script.py
    python script.py http://127.0.0.1:8088/2/httpapi

An application has nothing like this: it gives its API key to `ringamp.init`.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ringamp.collector import CollectorProcess

API_KEY = "0123456789abcdef0123456789abcdef"


@contextmanager
def service_url() -> Iterator[str]:
    """
    Give the URL to send to.
    """
    url = [*sys.argv[1:], os.environ.get("RINGAMP_URL")][0]
    if url:
        yield url
        return
    with CollectorProcess() as collector:
        yield collector.url
        print(f"The collector took {collector.summary().accepted} events.")
