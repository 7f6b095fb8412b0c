# SPDX-License-Identifier: MIT
"""
Keeps the API key out of what may be logged.
"""

from __future__ import annotations

import re

# The envelope of a request puts the key first, and its JSON holds no bare
# quote. A shorter key may be an ordinary word of an answer; real ones have 32
# characters.
_KEY = re.compile(rb'{"api_key":"([^"]{6,1000})"')


def redact(answer: bytes, body: bytes | bytearray | memoryview) -> bytes:
    """
    Blot the API key of *body* out where *answer* quotes it.

    Errors such as "Invalid API key" may repeat what was sent, and an
    answer's words end in logs and receipts.
    """
    found = _KEY.match(body)
    return answer if found is None else answer.replace(found[1], b"***")
