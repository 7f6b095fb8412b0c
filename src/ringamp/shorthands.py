# SPDX-License-Identifier: MIT
"""
The methods of a client that make an event of a kind of its own and log it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from ringamp.events import (
    Identify,
    Revenue,
    group_identify_event,
    identify_event,
    revenue_event,
    set_group_event,
)
from ringamp.flusher.receipt import Receipt


class Shorthands(ABC):
    """
    The part of `Client` that is made of `log_event`.
    """

    __slots__ = ()

    @abstractmethod
    def _log_built(
        self, build: Callable[..., dict[str, Any]], *args: Any
    ) -> Receipt:
        """
        Log the event that *build* makes of *args*.
        """

    def identify(
        self,
        user_id: str | None,
        device_id: str | None,
        identify: Identify,
    ) -> Receipt:
        """
        Change properties of a user.

        Args:
            user_id: Whose; None if *device_id* says it.

            device_id: Whose; None if *user_id* says it.

            identify: The operations.

        Returns:
            The receipt of the `$identify` event.

        .. versionadded:: 0.1.0
        """
        return self._log_built(identify_event, user_id, device_id, identify)

    def group_identify(
        self,
        group_type: str,
        group_name: str | list[str],
        identify: Identify,
        *,
        user_id: str | None = None,
        device_id: str | None = None,
    ) -> Receipt:
        """
        Change properties of a group, such as a company.

        Args:
            group_type: The kind of group, for example "company".

            group_name: Which group.

            identify: The operations; groups accept set, set_once, add,
                append, prepend and unset.

            user_id: Who is logged as the event's user, if anybody.

            device_id: The same.

        Returns:
            The receipt of the `$groupidentify` event.

        .. versionadded:: 0.1.0
        """
        return self._log_built(
            group_identify_event,
            group_type,
            group_name,
            identify,
            user_id,
            device_id,
        )

    def set_group(
        self,
        group_type: str,
        group_name: str | list[str],
        *,
        user_id: str | None = None,
        device_id: str | None = None,
    ) -> Receipt:
        """
        Make a user a member of a group.

        Args:
            group_type: The kind of group, for example "company".

            group_name: Which group, or which groups.

            user_id: Who; None if *device_id* says it.

            device_id: Who; None if *user_id* says it.

        Returns:
            The receipt of the `$identify` event.

        .. versionadded:: 0.1.0
        """
        return self._log_built(
            set_group_event,
            group_type,
            group_name,
            user_id,
            device_id,
        )

    def revenue(
        self,
        revenue: Revenue,
        *,
        user_id: str | None = None,
        device_id: str | None = None,
    ) -> Receipt:
        """
        Log a purchase or a refund.

        Args:
            revenue: What was paid.

            user_id: By whom; None if *device_id* says it.

            device_id: By whom; None if *user_id* says it.

        Returns:
            The receipt of the revenue event.

        .. versionadded:: 0.1.0
        """
        return self._log_built(revenue_event, revenue, user_id, device_id)

    # camelCase twins for users coming from @amplitude/node.
    groupIdentify = group_identify
    setGroup = set_group
