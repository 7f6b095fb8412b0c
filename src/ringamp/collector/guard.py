# SPDX-License-Identifier: MIT
"""
Who may ask: the rules that keep pages of the web away from the collector.

A browser sends requests to this machine on behalf of any page. It says so in
three headers, which a page cannot change:

    Host            the name in the URL. A page whose own name was made to
                    point to this machine (DNS rebinding) bears that name.
    Origin          the page that asks, with every request that is not a
                    plain GET.
    Sec-Fetch-Site  how near that page is: none (the user typed the URL),
                    same-origin, same-site or cross-site.

So every request must name a host that is ours, and must not come from
another page. Only the paths of the service may be opened to the pages of
named origins, as the service itself is open to all; the control paths never.

Nothing here knows of sockets or ASGI: headers in, a refusal or None out.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

Headers = Sequence[tuple[bytes, bytes]]
"""As they came, with names in lower case."""

HOMES = frozenset({"127.0.0.1", "::1", "localhost"})
"""What this machine calls itself."""

DEFAULT_PORTS = {"http": 80, "https": 443}
NEAR = frozenset({"none", "same-origin"})
"""Values of `Sec-Fetch-Site` that speak of no other page."""

ANY = "*"
"""As an origin: that of any page."""

MOST_CHARACTERS = 253
"""Of a host's name, as the system of names has it."""

NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
PORT = re.compile(r"[0-9]{1,5}")

CORS = "access-control-"
"""How the headers begin that open answers to other pages."""

PROTECTION = {
    "cache-control": "no-store",
    "content-security-policy": (
        "sandbox; default-src 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""Headers of every answer: a browser neither runs nor lends what it holds."""


class Place(NamedTuple):
    """
    A host and a port, as in a URL; the port is None if it is not written.
    """

    host: str
    port: int | None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


class Refusal(NamedTuple):
    """
    What a request that may not pass is answered.
    """

    status: int
    error: str


def address(text: str) -> str | None:
    """
    Return the one spelling of the IP address *text*, None if it is none.
    """
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)


def place(text: str) -> Place | None:
    """
    Read the value of a Host header, None if it is none.

    Upper case, a trailing dot and the many spellings of an IPv6 address make
    no difference.
    """
    text = text.strip().lower()
    if text.startswith("["):
        inner, closed, rest = text[1:].partition("]")
        host = address(inner) if closed and ":" in inner else None
    else:
        name, colon, port = text.partition(":")
        rest = colon + port
        name = name.removesuffix(".")
        known = len(name) <= MOST_CHARACTERS and NAME.fullmatch(name)
        host = name if known else None
    if host is None or rest[:1] not in ("", ":"):
        return None
    if rest in ("", ":"):
        return Place(host, None)
    if not PORT.fullmatch(rest[1:]) or not 0 < int(rest[1:]) < 65536:
        return None
    return Place(host, int(rest[1:]))


def origin(text: str) -> tuple[str, str, int] | None:
    """
    Read the value of an Origin header: scheme, host and port.

    None if it is that of no page of the web, such as "null".
    """
    scheme, mark, rest = text.strip().lower().partition("://")
    where = place(rest) if mark else None
    if where is None or scheme not in DEFAULT_PORTS:
        return None
    return scheme, where.host, where.port or DEFAULT_PORTS[scheme]


class Guard:
    """
    Says who may ask.

    Args:
        bound: The host that the server was told to listen on.

        allow_hosts:
            Further hosts it goes by, such as "collector" or
            "collector:8088"; one without a port is meant with any.

        allow_origins:
            Pages that may post to *open_paths*, such as
            "http://localhost:3000"; "*" for every page.

        open_paths: What can be opened to pages: the paths of the service.

    Raises:
        ValueError: A host or an origin cannot be read.
    """

    def __init__(
        self,
        bound: str,
        allow_hosts: Iterable[str],
        allow_origins: Iterable[str],
        open_paths: Iterable[str],
    ) -> None:
        self._homes = HOMES | {address(bound) or bound.lower()}
        self._hosts = frozenset(_read_host(text) for text in allow_hosts)
        self._any_page = ANY in (origins := list(allow_origins))
        self._pages = frozenset(
            _read_origin(text) for text in origins if text != ANY
        )
        self._open_paths = frozenset(open_paths)

    def refusal(
        self, path: str, headers: Headers, server: tuple[str, int | None]
    ) -> Refusal | None:
        """
        Return why a request may not pass, None if it may.

        Args:
            path: Where it goes to.

            headers: Its headers.

            server: The local address and port of its connection.
        """
        named = _values(headers, b"host")
        if len(named) != 1:
            return Refusal(400, "a request must have one Host header")
        host = place(named[0])
        if host is None:
            return Refusal(400, "the Host header names no host")
        if not self._is_ours(host, server):
            return Refusal(
                403,
                f"Host {host} is none of this collector's; "
                f"if it is, start it with --allow-host {host}",
            )
        asking = _values(headers, b"origin")
        if self.page(path, headers) is not None:
            return None
        sites = _values(headers, b"sec-fetch-site")
        if all(_is_same(host, text) for text in asking) and (
            all(site.strip().lower() in NEAR for site in sites)
        ):
            return None
        return Refusal(403, _told(path in self._open_paths))

    def page(self, path: str, headers: Headers) -> str | None:
        """
        Return the Origin of a request if it is a page that may post to
        *path*.
        """
        asking = _values(headers, b"origin")
        if path not in self._open_paths or len(asking) != 1:
            return None
        if self._any_page or origin(asking[0]) in self._pages:
            return asking[0]
        return None

    def _is_ours(self, host: Place, server: tuple[str, int | None]) -> bool:
        if host in self._hosts or Place(host.host, None) in self._hosts:
            return True
        where, port = server
        # An address cannot be rebound as a name can, so that of the
        # connection itself is ours: a server may listen on all there are.
        return host.port in (None, port) and (
            host.host in self._homes or host.host == address(where)
        )


def _told(is_open: bool) -> str:
    way = "; start the collector with --allow-origin if it may"
    return "a page of another origin may not ask" + (way if is_open else "")


def _read_host(text: str) -> Place:
    found = place(text)
    if found is None:
        # An IPv6 address is often written bare where no port can follow.
        bare = address(text)
        if bare is None:
            raise ValueError(f"{text!r} is no host, such as name or name:80")
        found = Place(bare, None)
    return found


def _read_origin(text: str) -> tuple[str, str, int]:
    found = origin(text)
    if found is None:
        raise ValueError(f"{text!r} is no origin, such as http://name:3000")
    return found


def _is_same(host: Place, text: str) -> bool:
    """
    Say whether the Origin *text* is the very host that is asked.
    """
    found = origin(text)
    if found is None:
        return False
    scheme, name, port = found
    return (name, port) == (host.host, host.port or DEFAULT_PORTS[scheme])


def _values(headers: Headers, wanted: bytes) -> list[str]:
    return [
        value.decode("latin-1") for name, value in headers if name == wanted
    ]
