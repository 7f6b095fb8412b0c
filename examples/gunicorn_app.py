# SPDX-License-Identifier: MIT
"""
A WSGI application that logs each request:

    RINGAMP_URL=http://127.0.0.1:8088/2/httpapi gunicorn --workers 4 --preload gunicorn_app:app

with `ringamp collector` in another terminal. The client is made where the
module is loaded, in the master with --preload, and used in the workers; no
hook is needed. `gunicorn.conf.py` beside this file shows the optional ones.
"""  # noqa: E501 - one command, one line.

import os
from collections.abc import Callable, Iterable
from typing import Any

import ringamp

client = ringamp.init(
    os.environ.get("AMPLITUDE_API_KEY", "0123456789abcdef0123456789abcdef"),
    server_url=os.environ.get(
        "RINGAMP_URL", "http://127.0.0.1:8088/2/httpapi"
    ),
)


def app(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """
    Answer, and log that it was asked.
    """
    client.log_event(
        {
            "event_type": "Request",
            "device_id": "visitor-" + environ.get("REMOTE_ADDR", "unknown"),
            "event_properties": {"path": environ["PATH_INFO"]},
        }
    )
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"worker {os.getpid()}\n".encode()]
