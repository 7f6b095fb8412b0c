# SPDX-License-Identifier: MIT
"""
A peer that fails as it is told: it posts each event by itself, and loses,
doubles or hangs over some of them.
"""

import json
import os
from functools import partial
from http.client import HTTPConnection
from threading import Event
from urllib.parse import urlsplit


class Peer:
    """
    Options: *loses* and *doubles* every so-manieth event, *repeats* likewise
    but with the same id, *hangs* in drain in a forked child, *raises* in
    every call, *fails* to be made.
    """

    def __init__(self, url, options):
        if options.get("fails"):
            raise RuntimeError("this peer cannot be made")
        self._url = url
        self._options = options
        self._number = 0
        self._maker = os.getpid()

    def _is_turn(self, name):
        every = self._options.get(name)
        return bool(every) and self._number % every == 0

    def _log(self, event):
        if self._options.get("raises"):
            raise OSError("no")
        self._number += 1
        id_ = f"{os.getpid()}-{self._number}"
        if not self._is_turn("loses"):
            self._post(event, id_)
        if self._is_turn("doubles"):
            self._post(event, f"{id_}-again")
        if self._is_turn("repeats"):
            self._post(event, id_)

    def _post(self, event, id_):
        address = urlsplit(self._url)
        wire = HTTPConnection(address.hostname, address.port, timeout=10)
        body = json.dumps({"events": [{**event, "insert_id": id_}]})
        wire.request("POST", "/2/httpapi", body)
        wire.getresponse().read()
        wire.close()

    def prepare(self, event):
        """
        Log one event.
        """
        return partial(self._log, event)

    def drain(self):
        """
        Nothing waits here; a child may be told to wait for ever.
        """
        if self._options.get("hangs") and os.getpid() != self._maker:
            Event().wait()
