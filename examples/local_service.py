# SPDX-License-Identifier: MIT
"""
Where the examples send: the URL in RINGAMP_URL, or else a local collector
that is started here and ends with the example.

An application has nothing like this: it gives its API key to `ringamp.init`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ringamp.collector import CollectorProcess

API_KEY = "0123456789abcdef0123456789abcdef"


@contextmanager
def service_url() -> Iterator[str]:
    """
    Give the URL to send to.
    """
    url = os.environ.get("RINGAMP_URL")
    if url:
        yield url
        return
    with CollectorProcess() as collector:
        yield collector.url
        print(f"The collector took {collector.summary().accepted} events.")
