# SPDX-License-Identifier: MIT
"""
The exceptions of ringamp.

    RingampError
    ├── OptionsError        a wrong option name or value (also ValueError)
    ├── InvalidEventError   a bad event, raised only with strict=True
    │                       (also ValueError)
    ├── SpoolError          what lies in the spool is not as we made it
    └── NativeError         the C core could not do what was asked

Traffic never raises into the application: what became of an event is told by
its receipt, by *on_delivery* and by the counters.
"""

from __future__ import annotations


class RingampError(Exception):
    """
    The base of everything ringamp raises on purpose.
    """


class OptionsError(RingampError, ValueError):
    """
    A wrong option name or value.

    The message names the option, what was given and what is allowed.
    """


class InvalidEventError(RingampError, ValueError):
    """
    An event that the service would refuse.

    Raised by the methods that log only when the option *strict* is set;
    otherwise the same words are the receipt's *reason*.
    """


class SpoolError(RingampError):
    """
    What lies in the spool is not as ringamp made it: a link, another user's,
    too wide open, too large, no events.

    The message names the path, what is wrong and what is allowed. The client
    goes on without the thing; nothing is followed, read or overwritten.
    """


class NativeError(RingampError):
    """
    The C core could not do what was asked, for example get memory.
    """
