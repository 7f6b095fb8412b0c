# SPDX-License-Identifier: MIT
"""
A script: log, look at what became of it, end.
"""

from local_service import API_KEY, service_url

import ringamp

with service_url() as url:
    client = ringamp.init(API_KEY, server_url=url)

    receipt = client.log_event(
        {
            "event_type": "Checkout",
            "user_id": "datamonster@gmail.com",
            "event_properties": {"items": 3, "total": 41.50},
        }
    )
    print(f"At once: {receipt.status}")
    print(f"In the end: {receipt.result(timeout=5).status}")

    # A bad event never raises; its receipt says what is wrong.
    print(client.log_event({"event_type": "Checkout"}).reason)

    client.identify(
        "datamonster@gmail.com",
        None,
        ringamp.Identify().set("plan", "pro").add("visits", 1),
    )
    client.revenue(
        ringamp.Revenue(price=9.99, quantity=2),
        user_id="datamonster@gmail.com",
    )

    # Not needed at the end of a script, where exit does the same.
    client.shutdown()
    print(client.stats())
