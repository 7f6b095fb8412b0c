# SPDX-License-Identifier: MIT
"""
A WSGI application whose workers only write their rings, and a relay that
sends what is in them:

    export RINGAMP_URL=http://127.0.0.1:8088/2/httpapi RINGAMP_SPOOL=/run/user/$UID/shop
    gunicorn --workers 4 --preload --config /dev/null relay_app:app
    RINGAMP_API_KEY=0123456789abcdef0123456789abcdef ringamp relay --spool-dir $RINGAMP_SPOOL --server-url $RINGAMP_URL

with `ringamp collector` in another terminal. Workers have no thread and no
socket for this; killed at any moment, they leave what they logged to the
relay. `ringamp-relay.service` and `kubernetes-sidecar.yaml` beside this file
start it where it belongs.
"""  # noqa: E501 - commands, one line each.

import os
import uuid
from collections.abc import Callable, Iterable
from http.cookies import SimpleCookie
from typing import Any

import ringamp

client = ringamp.init(
    os.environ.get("RINGAMP_API_KEY", "0123456789abcdef0123456789abcdef"),
    server_url=os.environ.get(
        "RINGAMP_URL", "http://127.0.0.1:8088/2/httpapi"
    ),
    spool_dir=os.environ.get("RINGAMP_SPOOL", "auto"),
    delivery="relay",
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
