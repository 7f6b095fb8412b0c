# SPDX-License-Identifier: MIT
"""
A WSGI application that logs each request:

    RINGAMP_URL=http://127.0.0.1:8088/2/httpapi gunicorn --workers 4 --preload gunicorn_app:app

with `ringamp collector` in another terminal. The client is made where the
module is loaded, in the master with --preload, and used in the workers; no
hook is needed. `gunicorn.conf.py` beside this file shows the optional ones.
"""  # noqa: E501 - one command, one line.

import os
import uuid
from collections.abc import Callable, Iterable
from http.cookies import SimpleCookie
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
    # A cookie, since visitors behind one proxy share an address.
    cookie = SimpleCookie(environ.get("HTTP_COOKIE")).get("device")
    device = cookie.value if cookie else uuid.uuid4().hex
    client.log_event(
        {
            "event_type": "Request",
            "device_id": device,
            "event_properties": {"path": environ["PATH_INFO"]},
        }
    )
    headers = [("Content-Type", "text/plain")]
    if cookie is None:
        life = "Max-Age=31536000; HttpOnly; SameSite=Lax"
        headers.append(("Set-Cookie", f"device={device}; {life}"))
    start_response("200 OK", headers)
    return [f"worker {os.getpid()}\n".encode()]
