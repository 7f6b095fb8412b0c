# SPDX-License-Identifier: MIT
"""
What holds for the tests of every folder: they find the modules that lie
beside this file, and they reach this machine alone.
"""

from __future__ import annotations

import ipaddress
import sys


class AwayFromHomeError(Exception):
    """
    A test, or what it tests, was about to connect to another machine.
    """


def _stay_here(event, args):
    """
    Refuse connections of this process to other machines.

    A hook of the interpreter, since a socket of any class is to be seen.
    """
    if event != "socket.connect":
        return
    address = args[1]
    if not isinstance(address, tuple) or address[0] == "localhost":
        return
    host = str(address[0]).partition("%")[0]
    if not ipaddress.ip_address(host).is_loopback:
        raise AwayFromHomeError(f"a connection to {host}, which is not here")


sys.addaudithook(_stay_here)
