# SPDX-License-Identifier: MIT
"""
How an answer is read: by us where it is of the plain form, by http.client
where it is not, and with the same result where both can.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import socket
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringamp.transport import answers
from ringamp.transport.answers import read_answer
from ringamp.transport.classify import BODY_CAP
from ringamp.transport.sockets import plain_class


class Pipe:
    """
    A socket to read answers from, into which a thread writes pieces.
    """

    def __init__(self, pieces, ends=True):
        ours, self._theirs = socket.socketpair()
        self.sock = plain_class()(fileno=ours.detach())
        self.sock.deadline = time.monotonic() + 30
        self._pieces, self._ends = pieces, ends
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _write(self):
        # The reader may have left before all was written.
        with contextlib.suppress(OSError):
            for piece in self._pieces:
                self._theirs.sendall(piece)
            if self._ends:
                self._theirs.shutdown(socket.SHUT_WR)

    def __enter__(self):
        return self.sock

    def __exit__(self, *_):
        self.sock.close()
        self._thread.join(30)
        self._theirs.close()


@pytest.fixture
def others(monkeypatch):
    """
    What http.client was given: the bytes that were read before.
    """
    given = []
    plain = answers._read_other

    def note(sock, begun):
        given.append(begun)
        return plain(sock, begun)

    monkeypatch.setattr(answers, "_read_other", note)
    return given


def begin_to_read(sock):
    """
    Read an answer after its first piece, as a connection does.
    """
    return read_answer(sock, sock.recv(answers.CHUNK))


def read(*pieces, ends=False):
    """
    Read one answer from these pieces.
    """
    with Pipe(pieces, ends) as sock:
        return begin_to_read(sock)


USUAL = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b'Retry-After:  7 \r\nContent-Length: 12\r\n\r\n{"code":200}'
)


def test_a_usual_answer_is_read_without_http_client(others):
    """
    Status, headers by their lower-case names, and body.
    """
    answer = read(USUAL)

    assert answer.status == 200
    assert answer.headers["retry-after"] == "7"
    assert answer.body == b'{"code":200}'
    assert not answer.is_last
    assert others == []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_an_answer_may_come_in_pieces(others, size):
    """
    However the network cuts it.
    """
    pieces = [USUAL[n : n + size] for n in range(0, len(USUAL), size)]

    assert read(*pieces) == read(USUAL)
    assert others == []


@pytest.mark.parametrize("connection", ["keep-alive", "Keep-Alive"])
def test_an_answer_may_say_that_it_keeps_the_connection(others, connection):
    """
    The header is the default's name, in any case.
    """
    head = f"HTTP/1.1 200\r\nConnection: {connection}\r\nContent-Length: 0"

    answer = read(head.encode() + b"\r\n\r\n")

    assert (answer.body, answer.is_last) == (b"", False)
    assert others == []


OTHERS = {
    "chunks": (
        [
            *(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", b""),
            *(b"2", b"ab", b"1;x=y", b"c", b"0", b"Trailer: x", b"", b""),
        ],
        (200, b"abc", False),
    ),
    "chunks that also have a length": (
        [
            *(b"HTTP/1.1 200 OK", b"Content-Length: 1"),
            *(b"Transfer-Encoding: chunked", b"", b"2", b"ab", b"0", b"", b""),
        ],
        (200, b"ab", False),
    ),
    "the connection's end is the body's": (
        [b"HTTP/1.1 200 OK", b"X: y", b"", b"abc"],
        (200, b"abc", True),
    ),
    "HTTP/1.0": (
        [b"HTTP/1.0 200 OK", b"Content-Length: 3", b"", b"abc"],
        (200, b"abc", True),
    ),
    "a connection that ends": (
        [
            *(b"HTTP/1.1 200 OK", b"Content-Length: 3", b"Connection: close"),
            *(b"", b"abc"),
        ],
        (200, b"abc", True),
    ),
    "no body by its status": (
        [b"HTTP/1.1 204 No", b"Content-Length: 3", b"", b""],
        (204, b"", False),
    ),
    "an interim answer": (
        [b"HTTP/1.1 103 Early", b"Content-Length: 0", b"", USUAL],
        (103, b"", True),
    ),
    "the leave to go on": (
        [b"HTTP/1.1 100 Continue", b"", USUAL],
        (200, b'{"code":200}', False),
    ),
    "lines that end with a line feed alone": (
        [b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc"],
        (200, b"abc", False),
    ),
    "a folded header": (
        [
            b"HTTP/1.1 200 OK",
            b"X: a",
            b" b",
            b"Content-Length: 3",
            b"",
            b"abc",
        ],
        (200, b"abc", False),
    ),
    "a length said twice": (
        [
            *(b"HTTP/1.1 200 OK", b"Content-Length: 3", b"content-length: 3"),
            *(b"", b"abc"),
        ],
        (200, b"abc", False),
    ),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_not_of_the_plain_form_is_read_by_http_client(others, kind):
    """
    From its first byte, whatever was read before that was seen.
    """
    lines, wanted = OTHERS[kind]
    data = b"\r\n".join(lines)

    answer = read(data, ends=True)

    assert (answer.status, answer.body, answer.is_last) == wanted
    assert len(others) == 1
    assert data.startswith(others[0])


def test_more_than_was_announced_ends_the_connection():
    """
    What follows would be taken for the answer of the next request.
    """
    answer = read(USUAL + b"x")

    assert answer.body == b'{"code":200}'
    assert answer.is_last


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 %d No\r\nContent-Length: 10\r\n\r\n",
        b"HTTP/1.1 %d No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
        b"HTTP/1.1 %d No\r\nContent-Length: 10\r\nConnection: close\r\n\r\n",
    ],
)
def test_a_body_cut_short_is_none_but_of_a_refusal(head):
    """
    Who refuses unread may reset before its answer is complete.
    """
    with pytest.raises(http.client.IncompleteRead):
        read(head % 200 + b"abc", ends=True)
    answer = read(head % 413 + b"abc", ends=True)

    assert (answer.status, answer.body, answer.is_last) == (413, b"", True)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (BODY_CAP + 1),
        b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n",
    ],
)
def test_a_body_longer_than_the_cap_is_not_kept(head):
    """
    It counts as none, and its connection is of no more use.
    """
    answer = read(head + b"x" * (BODY_CAP + 1), ends=True)

    assert (answer.status, answer.body, answer.is_last) == (200, b"", True)


def test_a_body_as_long_as_the_cap_is_kept():
    """
    The bound itself is allowed.
    """
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BODY_CAP

    assert read(head + b"x" * BODY_CAP).body == b"x" * BODY_CAP


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    ],
    ids=["nothing", "part", "ssh", "status", "long line", "many lines"],
)
def test_what_is_no_answer_is_refused(data):
    """
    As http.client does, whose limits hold for all heads.
    """
    with pytest.raises(http.client.HTTPException):
        read(data, ends=True)


def test_a_head_without_end_is_not_read_for_ever():
    """
    Whoever sends one is cut off after some kilobytes.
    """
    with pytest.raises(http.client.HTTPException):
        read(b"HTTP/1.1 200 OK\r\n", b"X-Y: z\r\n" * 100_000)


LINES = st.sampled_from(
    [
        b"Content-Length: 3",
        b"content-length:5",
        b"Content-Length: +3",
        b"Content-Length: 3, 3",
        b"Content-Length:",
        b"Content-Length : 3",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: identity",
        b"Connection: close",
        b"Connection: Keep-Alive",
        b"Connection: keep-alive, x",
        b"Retry-After: 5",
        b"retry-after: \t6 ",
        b"Date: Tue, 24 Nov 2026 12:00:00 GMT",
        b"Set-Cookie: a=b",
        b"X-Words: \xe4\xf6\xfc",
        b"X-Empty:",
        b"no colon",
        b" folded",
        b":",
    ]
)
STARTS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 200",
        b"HTTP/1.1 429 Too Many",
        b"HTTP/1.1 413 ",
        b"HTTP/1.0 200 OK",
        b"HTTP/1.1 204 No",
        b"HTTP/1.1 304 Not",
        b"HTTP/1.1  200 OK",
        b"http/1.1 200 OK",
        b"HTTP/2 200",
    ]
)
BODIES = st.sampled_from([b"", b"abc", b"abcde", b"3\r\nabc\r\n0\r\n\r\n"])


def outcome(reader, data, cuts):
    """
    What comes of reading *data*, cut at some places.
    """
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    pieces = [data[a:b] for a, b in itertools.pairwise(places)]
    with Pipe(pieces) as sock:
        try:
            answer = reader(sock)
        except (http.client.HTTPException, OSError) as error:
            return type(error)
    told = {"retry-after", "date"}
    headers = {
        name: text.strip()
        for name, text in answer.headers.items()
        if name in told
    }
    return answer.status, headers, answer.body


@given(
    STARTS,
    st.lists(LINES, max_size=5),
    BODIES,
    st.lists(st.integers(0, 300), max_size=3),
)
@settings(deadline=None, max_examples=300)
def test_both_roads_come_to_the_same(start, lines, body, cuts):
    """
    Whatever a head is put together from, and however it is cut: we read what
    http.client reads.
    """
    data = b"\r\n".join([start, *lines, b"", body])

    ours = outcome(begin_to_read, data, cuts)
    theirs = outcome(lambda sock: answers._read_other(sock, b""), data, ())

    assert ours == theirs
