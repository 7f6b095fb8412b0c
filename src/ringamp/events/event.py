# SPDX-License-Identifier: MIT
"""
`Event`: every field the service documents or its SDKs send, in API order.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from sys import intern
from typing import Any, Final, NoReturn, TypeAlias, final

import msgspec

from ringamp.bindings import know_struct, set_fields
from ringamp.events.plan import IngestionMetadata, Plan

Number: TypeAlias = float | Decimal

_WIRE: Mapping[str, str] = {
    "skip_user_properties_sync": "$skip_user_properties_sync",
    "product_id": "productId",
    "revenue_type": "revenueType",
    "receipt_sig": "receiptSig",
}


class _EventType(msgspec.Struct, omit_defaults=True):
    event_type: str


@final
class Event(_EventType, omit_defaults=True, kw_only=True, rename=_WIRE):
    """
    What happened, to whom, and when.

    Only *event_type* is positional, and one of *user_id* and *device_id* is
    required. A field that is None is not sent. A dict does the same with the
    wire names, and may hold fields that are not listed here.

    Attributes:
        event_type: What happened.

        user_id: Who did it.

        device_id: On what.

        user_agent: The browser's; the service reads user properties from it.

        time: Milliseconds since the epoch; when it was logged if None.

        event_properties: What is known about the event.

        user_properties: What is to be known about the user from now on.

        groups: Group type to the group's name, or names.

        group_properties: Only for the event type "$groupidentify".

        skip_user_properties_sync:
            True: neither read nor update the user properties the service
            holds; *$skip_user_properties_sync* on the wire.

        platform:
            Set, like *os_name* to *carrier*, as a whole: the service empties
            the fields of that group that one event leaves out. The same goes
            for *country*, *region*, *city* and *dma*.

        language: A language tag or a name.

        price: Of one piece; negative for a refund.

        quantity: How many pieces; 1 if None.

        revenue: Used where *price* is None.

        product_id: *productId* on the wire.

        revenue_type: *revenueType* on the wire.

        currency: Three capital letters, ISO 4217.

        ip: The user's address. "$remote" would be this server's own.

        event_id: Orders events of one user with the same time.

        session_id: Start of the session in milliseconds, -1 for none.

        insert_id: The service drops repeats of it; made up if None.

        library: Who sends; the name and version of ringamp if None.

        receipt_sig: *receiptSig* on the wire.
    """

    user_id: str | None = None
    device_id: str | None = None
    user_agent: str | None = None
    time: int | None = None
    event_properties: dict[str, Any] | None = None
    user_properties: dict[str, Any] | None = None
    groups: dict[str, str | list[str]] | None = None
    group_properties: dict[str, Any] | None = None
    skip_user_properties_sync: bool | None = None
    app_version: str | None = None
    platform: str | None = None
    os_name: str | None = None
    os_version: str | None = None
    device_brand: str | None = None
    device_manufacturer: str | None = None
    device_model: str | None = None
    carrier: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None
    dma: str | None = None
    language: str | None = None
    price: Number | None = None
    quantity: int | None = None
    revenue: Number | None = None
    product_id: str | None = None
    revenue_type: str | None = None
    currency: str | None = None
    location_lat: Number | None = None
    location_lng: Number | None = None
    ip: str | None = None
    idfa: str | None = None
    idfv: str | None = None
    adid: str | None = None
    android_id: str | None = None
    android_app_set_id: str | None = None
    event_id: int | None = None
    session_id: int | None = None
    insert_id: str | None = None
    plan: Plan | None = None
    partner_id: str | None = None
    library: str | None = None
    version_name: str | None = None
    ingestion_metadata: IngestionMetadata | None = None
    receipt: str | None = None
    receipt_sig: str | None = None
    delay: int | None = None

    def __init_subclass__(cls, **kwargs: object) -> NoReturn:
        # to_dict() knows these fields alone: others would be lost quietly.
        raise TypeError(
            "Event cannot be subclassed; log a dict to send other fields"
        )

    def to_dict(self) -> dict[str, Any]:
        """
        Return the fields that are set, under their wire names.

        The dict is new, and so are those of *plan* and *ingestion_metadata*;
        every other value is the event's own.
        """
        return set_fields(self) or _set_fields_by_name(self)


def _set_fields_by_name(struct: msgspec.Struct) -> dict[str, Any]:
    """
    What the core does, where it could not see how structs are laid out.
    """
    fields = {}
    for name, wire in zip(
        struct.__struct_fields__, struct.__struct_encode_fields__, strict=True
    ):
        value = getattr(struct, name)
        if isinstance(value, Plan | IngestionMetadata):
            value = _set_fields_by_name(value)
        if value is not None:
            fields[wire] = value
    return fields


def _teach(kind: type[msgspec.Struct]) -> bool:
    """
    Show the core where the fields of *kind* lie.
    """
    names = kind.__struct_fields__
    values = tuple(object() for _ in names)
    sample = kind(**dict(zip(names, values, strict=True)))
    wires = tuple(map(intern, kind.__struct_encode_fields__))
    return know_struct(sample, wires, values)


IS_KNOWN: Final[bool] = all(
    _teach(kind) for kind in (Plan, IngestionMetadata, Event)
)
"""
Whether the core reads these structs by itself. An event has some fifty fields
and sets five; asking for each by name takes longer than all the rest.
"""
