# SPDX-License-Identifier: MIT
"""
Tests of `ringamp.collector.guard`: which requests may pass, without a server.
"""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringamp.collector.guard import Guard, Place, origin, place

PORT = 8088
SERVER = ("127.0.0.1", PORT)
OPEN = "/2/httpapi"
CONTROL = "/_collector/events"


def refusal(
    *headers,
    host=f"127.0.0.1:{PORT}",
    path=CONTROL,
    bound="127.0.0.1",
    server=SERVER,
    hosts=(),
    origins=(),
):
    """
    Return why a request is refused, None if it is not.
    """
    guard = Guard(bound, hosts, origins, [OPEN])
    fields = [("host", host), *headers]
    told = [(k.encode(), v.encode()) for k, v in fields]
    return guard.refusal(path, told, server)


OURS = [
    "127.0.0.1:8088",
    "127.0.0.1",
    "127.0.0.1.:8088",
    "localhost:8088",
    "localhost",
    "LocalHost:8088",
    "LOCALHOST",
    "localhost.:8088",
    "localhost:",
    "localhost:08088",
    "[::1]:8088",
    "[::1]",
    "[0:0:0:0:0:0:0:1]:8088",
    "[0000::0001]:8088",
    "[::ffff:127.0.0.1]:8088",
]

OTHERS = [
    "evil.example",
    "evil.example:8088",
    "localhost.evil.example:8088",
    "evil.localhost:8088",
    "localhost:8089",
    "127.0.0.1:80",
    "127.0.0.2:8088",
    "127.1:8088",
    "2130706433:8088",
    "0x7f000001:8088",
    "0.0.0.0:8088",
    "[::2]:8088",
    "[::]:8088",
    "192.168.0.7:8088",
    "xn--lcalhost-n4a:8088",
]

NO_HOSTS = [
    "",
    " ",
    ":8088",
    ".",
    "localhost..:8088",
    "localhost:8088:8088",
    "localhost:x",
    "localhost:-1",
    "localhost:0",
    "localhost:65536",
    "localhost:8088, evil.example",
    "localhost evil.example",
    "localhost/evil.example",
    "evil.example@localhost:8088",
    "localhost#evil.example",
    "localhost\\evil.example",
    "http://localhost:8088",
    "::1",
    "::1:8088",
    "[::1",
    "[::1]8088",
    "[127.0.0.1]:8088",
    "[localhost]:8088",
    "l\u00f6calhost:8088",
    "localhost:\u0668\u0660\u0668\u0668",
    "*",
    "a" * 300,
]


@pytest.mark.parametrize("host", OURS)
def test_this_machine_has_its_names(host):
    """
    Every spelling of the loopback may be asked, with the port or without.
    """
    assert refusal(host=host) is None


@pytest.mark.parametrize("host", OTHERS)
def test_another_host_is_refused(host):
    """
    A name that is not ours is refused, and the refusal says how to allow it.
    """
    said = refusal(host=host)

    assert said.status == 403
    assert "--allow-host" in said.error


@pytest.mark.parametrize("host", NO_HOSTS)
def test_what_is_no_host_is_refused(host):
    """
    A Host header that cannot be read is never taken for one of ours.
    """
    assert refusal(host=host).status == 400


def test_exactly_one_host_is_needed():
    """
    None and two are refused, also if both are ours.
    """
    guard = Guard("127.0.0.1", [], [], [OPEN])
    ours = (b"host", b"localhost:8088")

    assert guard.refusal(CONTROL, [], SERVER).status == 400
    assert guard.refusal(CONTROL, [ours, ours], SERVER).status == 400
    assert guard.refusal(CONTROL, [ours], SERVER) is None


def test_a_bound_address_is_ours():
    """
    The host it was told to listen on, and the address of the connection
    where it listens on all, may be asked.
    """
    lan = ("192.168.0.7", PORT)

    assert refusal(host="box:8088", bound="box") is None
    assert refusal(host="BOX.:8088", bound="Box") is None
    assert refusal(host="0.0.0.0:8088", bound="0.0.0.0") is None
    assert refusal(host="[::]:8088", bound="::") is None
    assert refusal(host="192.168.0.7:8088", bound="", server=lan) is None
    mapped = ("::ffff:192.168.0.7", PORT)
    assert refusal(host="192.168.0.7:8088", server=mapped) is None
    assert refusal(host="192.168.0.8:8088", server=lan).status == 403


def test_further_hosts_can_be_allowed():
    """
    A name without a port is allowed with any, one with a port only with it.
    """
    hosts = ["Collector", "tunnel.example:443", "::5", "[::6]:7"]

    assert refusal(host="collector:9000", hosts=hosts) is None
    assert refusal(host="collector", hosts=hosts) is None
    assert refusal(host="tunnel.example:443", hosts=hosts) is None
    assert refusal(host="tunnel.example:444", hosts=hosts).status == 403
    assert refusal(host="[::5]:1", hosts=hosts) is None
    assert refusal(host="[::6]:7", hosts=hosts) is None


@pytest.mark.parametrize("host", ["", "a/b", "http://a", "a:b", "*", "a b"])
def test_what_is_no_host_cannot_be_allowed(host):
    """
    A wrong option is an error that repeats it.
    """
    with pytest.raises(ValueError, match="no host"):
        Guard("127.0.0.1", [host], [], [])


@pytest.mark.parametrize("text", ["", "a", "a:80", "null", "http://a/b"])
def test_what_is_no_origin_cannot_be_allowed(text):
    """
    The same of an origin.
    """
    with pytest.raises(ValueError, match="no origin"):
        Guard("127.0.0.1", [], [text], [])


FOREIGN = [
    [("origin", "https://evil.example")],
    [("origin", "http://evil.example:8088")],
    [("origin", "http://localhost:3000")],
    [("origin", "http://localhost:8088")],
    [("origin", "http://127.0.0.1")],
    [("origin", "https://127.0.0.1")],
    [("origin", "null")],
    [("origin", "")],
    [("origin", "file://")],
    [("origin", "ftp://127.0.0.1:8088")],
    [("origin", "chrome-extension://abcdef")],
    [("origin", "http://127.0.0.1:8088.evil.example")],
    [("origin", "http://127.0.0.1:8088@evil.example")],
    [("origin", "http://127.0.0.1:8088/")],
    [("origin", "http://127.0.0.1:8088"), ("origin", "http://evil.example")],
    [("origin", "http://127.0.0.1:8088 http://evil.example")],
    [("sec-fetch-site", "cross-site")],
    [("sec-fetch-site", "same-site")],
    [("sec-fetch-site", "Cross-Site")],
    [("sec-fetch-site", "")],
    [("sec-fetch-site", "anything")],
    [("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")],
    [("origin", "http://127.0.0.1:8088"), ("sec-fetch-site", "cross-site")],
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("path", [CONTROL, OPEN, "/", "/anything"])
def test_another_page_is_refused(headers, path):
    """
    A request from a page that is not the collector's own passes nowhere.
    """
    assert refusal(*headers, path=path).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("sec-fetch-site", "none")],
        [("sec-fetch-site", "same-origin")],
        [("origin", "http://127.0.0.1:8088")],
        [("origin", "HTTP://127.0.0.1:8088")],
    ],
    ids=str,
)
def test_programs_and_the_user_pass(headers):
    """
    What no browser sent passes, and what the user typed.
    """
    assert refusal(*headers) is None


def test_an_allowed_page_may_post_events_alone():
    """
    An origin that is allowed opens the service's paths and no others.
    """
    page = [
        ("origin", "http://LOCALHOST:3000"),
        ("sec-fetch-site", "cross-site"),
    ]
    origins = ["http://localhost:3000"]

    assert refusal(*page, path=OPEN, origins=origins) is None
    assert refusal(*page, path=OPEN, origins=["*"]) is None
    assert refusal(*page, path=CONTROL, origins=["*"]).status == 403
    assert refusal(*page, path=f"{OPEN}/", origins=["*"]).status == 403
    assert refusal(*page, path="/", origins=origins).status == 403
    other = [("origin", "http://localhost:3001")]
    assert refusal(*other, path=OPEN, origins=origins).status == 403
    rebound = {"host": "evil.example", "path": OPEN, "origins": ["*"]}
    assert refusal(*page, **rebound).status == 403


@given(number=st.integers(0, 2**128 - 1), form=st.sampled_from("xX"))
def test_an_ipv6_address_has_one_spelling(number, form):
    """
    Written in full, in short or in upper case it is the same place.
    """
    address = ipaddress.IPv6Address(number)
    spelt = address.exploded if form == "x" else address.compressed.upper()

    assert place(f"[{spelt}]:1") == place(f"[{address}]:1")


@given(text=st.text(max_size=30))
def test_any_text_is_a_host_or_none(text):
    """
    Reading never raises, and what is read has one spelling.
    """
    found = place(text)

    assert found is None or place(str(found)) == found
    assert origin(text) is None or "://" in text


def test_a_place_is_written_as_in_a_url():
    """
    An IPv6 address has its brackets.
    """
    assert str(Place("::1", 80)) == "[::1]:80"
    assert str(Place("a", None)) == "a"
