# SPDX-License-Identifier: MIT
"""
Where a request goes, and how it begins: `Target`. Pure.

All requests of a client begin with the same bytes, so they are made once.
What is the same for all of them is checked then, too: a URL or a header that
could end its line early would let its owner write requests of his own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

import msgspec
from urllib3.util import parse_url

_PORTS = {"http": 80, "https": 443}

_VISIBLE = re.compile(r"[!-~]+")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[^\r\n\0]*")


class Target(msgspec.Struct, frozen=True):
    """
    What the URL and the headers of a request come to.

    Attributes:
        origin: The scheme, `http` or `https`; the host, a name or an address
            without brackets; and the port where it listens.

        head: The request up to the number of bytes of its body.
    """

    origin: tuple[str, str, int]
    head: bytes


@lru_cache(maxsize=16)
def target_of(url: str, headers: tuple[tuple[str, str], ...]) -> Target:
    """
    Find out where a request goes, and how it begins.

    Raises:
        ValueError: The URL or a header cannot be sent.
    """
    parts = parse_url(url)
    scheme, named = parts.scheme or "", parts.host or ""
    uri = parts.request_uri
    if scheme not in _PORTS:
        raise ValueError("url: neither http nor https")
    if not (_VISIBLE.fullmatch(named) and _VISIBLE.fullmatch(uri)):
        raise ValueError("url: no host, or one that cannot be sent")
    port = parts.port or _PORTS[scheme]
    # A scope of this machine, as in [fe80::1%25eth0], is nobody else's.
    called = re.sub(r"%.*(?=])", "", named)
    if port != _PORTS[scheme]:
        called = f"{called}:{port}"
    fields = {
        "host": ("Host", called),
        # Not packed: answers are short, and unpacking has its dangers.
        "accept-encoding": ("Accept-Encoding", "identity"),
        **{name.lower(): (name, text) for name, text in headers},
    }
    # It is the body's, whatever a caller may have copied from elsewhere.
    fields.pop("content-length", None)
    lines = [f"{name}: {text}" for name, text in _checked(fields.values())]
    head = "\r\n".join([f"POST {uri} HTTP/1.1", *lines, "Content-Length: "])
    host = named.strip("[]").replace("%25", "%", 1)
    return Target((scheme, host, port), head.encode("latin-1"))


def _checked(fields: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """
    Take fields of which each can be a line.
    """
    for name, text in fields:
        if not (_NAME.fullmatch(name) and _VALUE.fullmatch(text)):
            raise ValueError("headers: one has characters that end its line")
        if name.lower() == "transfer-encoding":
            raise ValueError("headers: the body is sent as it is")
        yield name, text
