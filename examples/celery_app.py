# SPDX-License-Identifier: MIT
"""
Celery tasks that log:

    celery --app celery_app worker --pool prefork --concurrency 4

The client is made where the module is loaded and used in the pool's
processes; no signal handler is needed.
"""

import os

import celery

import ringamp

app = celery.Celery(
    "celery_app", broker=os.environ.get("BROKER", "redis://127.0.0.1:6379")
)
client = ringamp.init(
    os.environ.get("AMPLITUDE_API_KEY", "0123456789abcdef0123456789abcdef"),
    server_url=os.environ.get(
        "RINGAMP_URL", "http://127.0.0.1:8088/2/httpapi"
    ),
)


@app.task
def charge(user_id: str, amount: float) -> None:
    """
    Charge somebody, and log it.
    """
    client.revenue(ringamp.Revenue(price=amount), user_id=user_id)
