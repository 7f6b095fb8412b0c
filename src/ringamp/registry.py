# SPDX-License-Identifier: MIT
"""
The named instances: `init`, `get_instance`, `postfork`.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import wait
from typing import Any

from ringamp.client import Client
from ringamp.errors import OptionsError

DEFAULT = "default"

_instances: dict[str, Client] = {}


def get_instance(name: str | None = None) -> Client:
    """
    The instance called *name*; made at the first call.

    Args:
        name: None for the default instance.

    Raises:
        OptionsError: *name* is no string, or empty.

    .. versionadded:: 0.1.0
    """
    if name is None:
        name = DEFAULT
    if not isinstance(name, str) or not name:
        raise OptionsError(
            f"instance name: {name!r} given, a string with at least one "
            "character is allowed",
        )
    # One step of the interpreter, so no lock that a child could inherit.
    return _instances.setdefault(name, Client(name))


def init(
    api_key: str,
    options: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> Client:
    """
    Initialise the default instance; see `Client.init`.

    Raises:
        OptionsError: A name or value is wrong.

    .. versionadded:: 0.1.0
    """
    return get_instance().init(api_key, options, **kwargs)


def postfork() -> None:
    """
    Rebuild every instance in this process now, if a fork ended it.

    Never needed: the first event in a child does the same. For servers that
    want to say when. Calling it again, or in the parent, does nothing.

    .. versionadded:: 0.1.0
    """
    for client in list(_instances.values()):
        client.postfork()


def flush_all(timeout: float) -> None:
    """
    Have every instance of this process send what was logged, and wait.

    Args:
        timeout: Seconds for all of them together.

    .. versionadded:: 0.1.0
    """
    wait([client.flush() for client in list(_instances.values())], timeout)


def shutdown_all(timeout: float | None = None) -> None:
    """
    Shut every instance of this process down; see `Client.shutdown`.

    Args:
        timeout: Seconds for each; None: as its options say.

    .. versionadded:: 0.1.0
    """
    for client in list(_instances.values()):
        client.shutdown(timeout)


# camelCase twin for users coming from @amplitude/node.
getInstance = get_instance  # noqa: N816
