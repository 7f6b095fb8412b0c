# SPDX-License-Identifier: MIT
"""
Where a URL leads, and how a request for it begins.
"""

from __future__ import annotations

import pytest

from ringamp.transport.targets import target_of

URLS = {
    "https://api2.amplitude.com/2/httpapi": (
        ("https", "api2.amplitude.com", 443),
        "/2/httpapi",
        "api2.amplitude.com",
    ),
    "HTTPS://API2.Amplitude.Com:443/Batch": (
        ("https", "api2.amplitude.com", 443),
        "/Batch",
        "api2.amplitude.com",
    ),
    "http://localhost:8000": (
        ("http", "localhost", 8000),
        "/",
        "localhost:8000",
    ),
    "http://[::1]:8000/a?b=c&d#e": (
        ("http", "::1", 8000),
        "/a?b=c&d",
        "[::1]:8000",
    ),
    "http://[fe80::1%25eth0]/a": (
        ("http", "fe80::1%eth0", 80),
        "/a",
        "[fe80::1]",
    ),
    "http://somebody:secret@proxy.example/a b/ü": (
        ("http", "proxy.example", 80),
        "/a%20b/%C3%BC",
        "proxy.example",
    ),
}


@pytest.mark.parametrize("url", URLS)
def test_a_url_leads_to_a_host(url):
    """
    Name and port without user and brackets; the path as it may travel.
    """
    place, path, host = URLS[url]

    target = target_of(url, ())

    assert target.origin == place
    assert (
        target.head
        == (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\n"
            "Accept-Encoding: identity\r\nContent-Length: "
        ).encode()
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/2/httpapi",
        "api2.amplitude.com",
        "ftp://api2.amplitude.com/",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "http://host:70000/",
        "http://a b/",
        "http://a\r\nb/",
    ],
)
def test_a_url_that_leads_nowhere_is_refused(url):
    """
    Before anything is sent.
    """
    with pytest.raises(ValueError, match=r"url|Failed to parse"):
        target_of(url, ())


def test_a_path_cannot_begin_a_request_of_its_own():
    """
    Ends of lines and blanks travel as what they are.
    """
    head = target_of("http://h/a\r\nX: y\r\n\r\nGET / HTTP/1.1", ()).head

    assert head.count(b"\r\n") == 3
    assert head.startswith(b"POST /a%0D%0AX:%20y%0D%0A%0D%0AGET%20/%20HTTP")


def test_headers_follow_the_host():
    """
    In their order; those that have a default take its place, and the length
    is the body's, whatever a caller says.
    """
    headers = (
        ("X-One", "1"),
        ("HOST", "other.example"),
        ("content-length", "5"),
        ("X-Two", "ü"),
    )

    assert target_of("http://h/", headers).head == (
        "POST / HTTP/1.1\r\nHOST: other.example\r\n"
        "Accept-Encoding: identity\r\nX-One: 1\r\nX-Two: ü\r\n"
        "Content-Length: "
    ).encode("latin-1")


@pytest.mark.parametrize(
    "header",
    [
        ("X\r\nY", "z"),
        ("X: Y", "z"),
        ("", "z"),
        ("X", "y\r\nZ: a"),
        ("X", "y\nz"),
        ("X", "\0"),
        ("X", "\N{EURO SIGN}"),
        ("Transfer-Encoding", "chunked"),
    ],
)
def test_a_header_that_cannot_be_sent_is_refused(header):
    """
    It could end its line early, or say of the body what is not so.
    """
    with pytest.raises(ValueError, match=r"headers|latin-1"):
        target_of("http://h/", (header,))
