# SPDX-License-Identifier: MIT
"""
A transport of your own: here one that keeps a copy on disk of what was sent.

Anything with `send_payload` is a transport. Its class may be given as well;
then each process makes its own, which matters when workers are forked.
"""

import tempfile
from pathlib import Path

import orjson
from local_service import API_KEY, service_url

import ringamp


class CopyingTransport(ringamp.HTTPTransport):
    """
    Sends as usual, and appends what was delivered to a file.
    """

    path = Path(tempfile.gettempdir()) / "ringamp-delivered.ndjson"

    def send_payload(self, payload: ringamp.Payload) -> ringamp.Response:
        """
        Send, then write the events: not the body, which has the API key.
        """
        response = super().send_payload(payload)
        if response.status is ringamp.Status.SUCCESS:
            with self.path.open("ab") as file:
                for event in payload.events:
                    file.write(orjson.dumps(event) + b"\n")
        return response


with service_url() as url:
    CopyingTransport.path.unlink(missing_ok=True)
    client = ringamp.init(
        API_KEY, server_url=url, transport_class=CopyingTransport
    )
    for number in range(5):
        client.log_event(
            {"event_type": "Tick", "device_id": "clock-1", "event_id": number}
        )
    client.shutdown()
    lines = CopyingTransport.path.read_text().splitlines()
    print(f"{len(lines)} events in the copy")
    CopyingTransport.path.unlink()
