# SPDX-License-Identifier: MIT
"""
A FastAPI application that logs each page view:

    RINGAMP_URL=http://127.0.0.1:8088/2/httpapi uvicorn fastapi_app:app

with `ringamp collector` in another terminal. The client is made when the
worker starts and shut down when it ends: after SIGTERM uvicorn runs no exit
handlers of Python, so without this shutdown the last events would be lost.
"""

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator
from typing import Annotated

import fastapi

import ringamp

client = ringamp.get_instance()


@contextlib.asynccontextmanager
async def lifespan(_app: fastapi.FastAPI) -> AsyncIterator[None]:
    """
    Make the client, and send what is left when the worker ends.
    """
    client.init(
        os.environ.get(
            "AMPLITUDE_API_KEY", "0123456789abcdef0123456789abcdef"
        ),
        server_url=os.environ.get(
            "RINGAMP_URL", "http://127.0.0.1:8088/2/httpapi"
        ),
    )
    yield
    # In a thread, so that the event loop can end what still runs.
    await asyncio.to_thread(client.shutdown)


app = fastapi.FastAPI(lifespan=lifespan)


@app.get("/")
async def home(
    response: fastapi.Response,
    device: Annotated[str | None, fastapi.Cookie()] = None,
) -> dict[str, str]:
    """
    Answer, and log that the page was viewed.
    """
    if device is None:
        device = uuid.uuid4().hex
        response.set_cookie(
            "device", device, max_age=31_536_000, httponly=True, samesite="lax"
        )
    client.log_event({"event_type": "Page Viewed", "device_id": device})
    return {"device": device}
