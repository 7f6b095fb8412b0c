# SPDX-License-Identifier: MIT
"""
From a request's bytes to an upload: unpacked, decoded, in one shape.

The HTTP V2 and batch APIs take JSON. The two identify APIs take a form with
an `api_key` and an `identification`, JSON as text; each identification
becomes the `$identify` or `$groupidentify` event that says the same, so that
all later rules are shared.
"""

from __future__ import annotations

import email.parser
import email.policy
import zlib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import orjson

from ringamp.collector import bodies
from ringamp.collector.bodies import Body
from ringamp.collector.fields import Event
from ringamp.collector.settings import (
    BATCH_PATH,
    GROUP_IDENTIFY_PATH,
    HTTP_V2_PATH,
    IDENTIFY_PATH,
    Limits,
    Settings,
)

BYTES_WITHOUT_LIMIT = 256_000_000
"""What a body may unpack to where no limit is set: memory is one."""

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
FORM_PARTS = "multipart/form-data"

Upload = dict[str, Any]


class Request(msgspec.Struct, frozen=True):
    """
    A request as it came over the wire.

    Attributes:
        method: POST, one hopes.

        path: Where to, without a query.

        headers: By lower-case name.

        body: As sent, perhaps packed; empty if larger than any limit.

        size: Bytes of the body as sent.

        query: What follows the question mark.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    size: int
    query: str = ""

    @property
    def media_type(self) -> str:
        """
        The type of the body, without its parameters.
        """
        named = self.headers.get("content-type", "")
        return named.partition(";")[0].strip().lower()


class Refusal(Exception):  # noqa: N818 - an answer, not an error of ours.
    """
    A gate that did not let the request pass.
    """

    def __init__(self, body: Body, events: int = 0) -> None:
        super().__init__(body["error"])
        self.body = body
        self.events = events


def room(limits: Limits | None) -> int:
    """
    Return how many bytes of a body there is room for.
    """
    return (limits or Limits()).max_bytes or BYTES_WITHOUT_LIMIT


def unpack(request: Request, limits: Limits) -> bytes:
    """
    Return what *request* holds, which stays below the limit of bytes.

    Packed, it is one member of gzip, whole, with nothing behind it.
    """
    limit = room(limits)
    if request.size >= limit:
        raise Refusal(bodies.refused(413))
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding == "identity":
        return request.body
    if encoding != "gzip":
        raise Refusal(bodies.refused(400))
    # Never unpack more than may be: 1 MB of gzip can hold a gigabyte.
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(request.body, limit)
    except zlib.error:
        raise Refusal(bodies.refused(400)) from None
    if len(plain) >= limit:
        raise Refusal(bodies.refused(413))
    if not unpacker.eof or unpacker.unused_data:
        raise Refusal(bodies.refused(400))
    return plain


def upload_of(request: Request, plain: bytes, settings: Settings) -> Upload:
    """
    Return what *plain*, the body of *request*, says.
    """
    return READERS[request.path](request, plain, settings)


def events_in(request: Request, settings: Settings) -> list[Event]:
    """
    Return the events of *request*, [] if they cannot be read.
    """
    limits = settings.limits_of(request.path)
    if limits is None:
        return []
    try:
        plain = unpack(request, limits)
        events = upload_of(request, plain, settings)["events"]
    except (Refusal, KeyError):
        return []
    if type(events) is not list:
        return []
    return [event for event in events if type(event) is dict]


def _json(request: Request, plain: bytes, settings: Settings) -> Upload:
    if not plain:
        raise Refusal(bodies.refused(400, bodies.MISSING_BODY))
    if request.media_type != JSON and not settings.any_content_type:
        raise Refusal(bodies.refused(400))
    try:
        upload = orjson.loads(plain)
    except ValueError:
        raise Refusal(bodies.refused(400)) from None
    if type(upload) is not dict:
        raise Refusal(bodies.refused(400))
    return upload


def _identifies(request: Request, plain: bytes, settings: Settings) -> Upload:
    return _identification(request, plain, settings, _identify)


def _group_identifies(
    request: Request, plain: bytes, settings: Settings
) -> Upload:
    return _identification(request, plain, settings, _group_identify)


def _identification(
    request: Request,
    plain: bytes,
    settings: Settings,
    as_event: Callable[[dict[str, Any]], Event],
) -> Upload:
    """
    Return the upload that a form stands for.

    Each part may be in the query as well, as the documentation has it.
    """
    form = _form(request, plain, settings)
    upload: Upload = {"api_key": form.get("api_key")}
    if upload["api_key"] is None:
        return upload
    try:
        told = orjson.loads(form.get("identification", ""))
    except ValueError:
        raise Refusal(_missing_event()) from None
    told = told if type(told) is list else [told]
    if not told or not all(type(one) is dict for one in told):
        raise Refusal(_missing_event(), len(told))
    return {**upload, "events": [as_event(one) for one in told]}


def _missing_event() -> Body:
    return bodies.refused(400, bodies.MISSING_EVENT, "identification")


def _form(
    request: Request, plain: bytes, settings: Settings
) -> dict[str, str]:
    """
    Return the fields of a form, whose text must be UTF-8.
    """
    media_type = request.media_type
    try:
        fields = dict(_pairs(request.query))
        if media_type == FORM_PARTS:
            fields.update(_parts(request, plain))
        elif media_type == FORM or settings.any_content_type:
            fields.update(_pairs(plain.decode()))
        elif plain:
            raise Refusal(bodies.refused(400, bodies.INVALID_FORM))
    except ValueError:
        raise Refusal(bodies.refused(400, bodies.INVALID_FORM)) from None
    return fields


def _pairs(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text, keep_blank_values=True, errors="strict")


def _parts(request: Request, plain: bytes) -> dict[str, str]:
    head = f"content-type: {request.headers['content-type']}\r\n\r\n"
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    message = parser.parsebytes(head.encode("latin-1") + plain)
    fields = {}
    for part in message.walk():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if name and isinstance(content, bytes):
            fields[str(name)] = content.decode()
    return fields


def _identify(told: dict[str, Any]) -> Event:
    return {**told, "event_type": "$identify"}


def _group_identify(told: dict[str, Any]) -> Event:
    """
    Return the event of one group's identification.

    A type or a value that is missing or no text is left to the check of
    `groups`, which then names it.
    """
    rest = dict(told)
    kind, value = rest.pop("group_type", None), rest.pop("group_value", None)
    named = kind if type(kind) is str and kind else ""
    groups = {named: value} if named and value is not None else 0
    return {**rest, "event_type": "$groupidentify", "groups": groups}


READERS: dict[str, Callable[[Request, bytes, Settings], Upload]] = {
    HTTP_V2_PATH: _json,
    BATCH_PATH: _json,
    IDENTIFY_PATH: _identifies,
    GROUP_IDENTIFY_PATH: _group_identifies,
}
"""How the body of each API is read."""
