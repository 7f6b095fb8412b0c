# SPDX-License-Identifier: MIT
"""
urllib3's connections, kept alive, held to promises they do not make.

urllib3 connects and verifies. The request and its answer are ours: its own
way to make them takes 200 us more of the processor for each, as much as all
else that the flushing thread does for 2000 events.

A request has one deadline. A socket's timeout bounds one wait only, so a
server that sends a byte a second can hold a thread for ever. Here every wait
of a socket (connect, handshake, send, each read of head and body) is bounded
by what is left of the whole request's time.

A forked child can let go. The sockets are recorded from their creation, so
that `HTTPTransport.abandon` can close the child's copies of the descriptors
without going through connections whose state belongs to threads that were
not copied.
"""

from __future__ import annotations

import _socket
import errno
import socket
import ssl
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.connection import allowed_gai_family

from ringamp.bindings import generation
from ringamp.clock import SystemClock
from ringamp.transport.answers import CHUNK, Answer, read_answer
from ringamp.transport.payload import Body
from ringamp.transport.sockets import TimedSocket, plain_class, tls_context
from ringamp.transport.targets import Target

_now = SystemClock.monotonic

# Zero would make a socket non-blocking instead of late.
_SHORTEST_WAIT = 1e-6

# urllib3 asks the codec registry for this while it connects, and a codec's
# first use imports a module: never at request time, since a forked child may
# have inherited that module's import lock from a thread that holds it.
"localhost".encode("idna")

# What a connection shows that the server closed while it was idle.
_CLOSED = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)

MOST_IDLE = 16
"""Connections kept for later: as many as there may be uploads at a time."""

_RECORD = 16 * 1024
"""Bytes of the longest record of TLS."""


class StaleConnectionError(ConnectionError):
    """
    A kept-alive connection was closed before any of the answer was read.
    """


def _addresses(host: str, port: int | None) -> list[Any]:
    """
    Resolve *host*.
    """
    wanted = (host, port, allowed_gai_family(), socket.SOCK_STREAM)
    try:
        return socket.getaddrinfo(*wanted)
    except RuntimeError:
        # gevent asks in a thread, and at exit 3.12 starts none.
        return _socket.getaddrinfo(*wanted)


class _Timed(HTTPConnection):
    """
    A connection under a deadline, whose sockets are recorded.

    Attributes:
        deadline: A monotonic time, of the request that it is used for.

        sockets: Where they are recorded.
    """

    sock: TimedSocket | None
    deadline: float
    sockets: WeakSet[TimedSocket]

    def _left(self) -> float:
        return max(self.deadline - _now(), _SHORTEST_WAIT)

    def _new_conn(self) -> TimedSocket:
        """
        Connect to the first of the host's addresses that answers.

        An address that swallows packets may use up its share of the time
        only, so that the next one has a chance.
        """
        owner = generation()
        found = _addresses(self._dns_host, self.port)
        problem: OSError | None = None
        for tried, (family, kind, proto, _, address) in enumerate(found):
            if generation() != owner:
                # A greenlet that waited, copied by a fork.
                raise ConnectionAbortedError
            sock = plain_class()(family, kind, proto)
            sock.record(self.sockets)
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                sock.settimeout(self._left() / (len(found) - tried))
                sock.connect(address)
            except OSError as error:
                sock.close()
                problem = error
                continue
            except BaseException:
                sock.close()
                raise
            # A handshake takes its whole time from this one value.
            sock.settimeout(self._left())
            sock.deadline = self.deadline
            return sock
        raise problem or OSError(errno.EADDRNOTAVAIL, "no address")

    def exchange(self, head: bytes, body: Body) -> Answer:
        """
        Send a request, over a new connection if there is none, and read its
        answer.
        """
        is_reused = self.sock is not None
        if not is_reused:
            if self.deadline <= _now():
                raise TimeoutError
            self.connect()
        sock: Any = self.sock
        # Over TLS the socket is another than the one that was connected.
        sock.deadline = self.deadline
        try:
            _send(sock, b"%b%d\r\n\r\n" % (head, len(body)), body)
            sock.hurry()
            begun = sock.recv(CHUNK)
        except _CLOSED as error:
            if is_reused:
                raise StaleConnectionError from error
            raise
        if is_reused and not begun:
            raise StaleConnectionError
        return read_answer(sock, begun)


def _send(sock: TimedSocket, head: bytes, body: Body) -> None:
    """
    Send a request; with its head goes as much of its body as makes one
    record of TLS, so that a small request is one packet.
    """
    rest = _RECORD - len(head)
    view = memoryview(body)
    sock.hurry()
    try:
        sock.sendall(head + view[:rest])
        if len(body) > rest:
            sock.hurry()
            sock.sendall(view[rest:])
    except BrokenPipeError:
        # The server may have answered before it had read everything.
        return


class TimedHTTPConnection(_Timed):
    """
    A plain connection.
    """


class TimedHTTPSConnection(_Timed, HTTPSConnection):
    """
    A connection over TLS.
    """


class Connections:
    """
    The connections of one transport.

    Certificates are checked against the standard places of the machine's
    OpenSSL, or the file that the environment variable SSL_CERT_FILE names.
    They are read for the first TLS connection, in the process that makes it.
    Proxies named by the environment are not used.

    Idle connections lie on a list, from which any thread pops the one that
    was used last: no lock, which a forked child might inherit held.

    Attributes:
        sockets: All sockets that are open, connecting or in use.
    """

    def __init__(self) -> None:
        self.sockets: WeakSet[TimedSocket] = WeakSet()
        self._idle: dict[tuple[str, str, int], list[_Timed]] = {}
        self._context: ssl.SSLContext | None = None

    def __del__(self) -> None:
        # For whoever drops a transport and does not close it, or closes it
        # while a thread is in a request, whose connection is kept then.
        self.close()

    def exchange(self, target: Target, body: Body, deadline: float) -> Answer:
        """
        Send a request and read its answer.

        Raises:
            StaleConnectionError: The connection was an idle one, and closed.

            OSError: There was no connection, it failed, or time is up.

            http.client.HTTPException: The answer is no HTTP.

            ValueError: The name cannot be one of a host.
        """
        idle = self._idle.setdefault(target.origin, [])
        connection = self._take(idle) or self._new(target)
        connection.deadline = deadline
        try:
            answer = connection.exchange(target.head, body)
        except BaseException:
            connection.close()
            raise
        if answer.is_last or len(idle) >= MOST_IDLE:
            connection.close()
        else:
            idle.append(connection)
        return answer

    def _take(self, idle: list[_Timed]) -> _Timed | None:
        """
        Take an idle connection that the server has not closed yet.
        """
        while idle:
            try:
                connection = idle.pop()
            except IndexError:  # Another thread was faster.
                break
            sock = connection.sock
            if sock is not None and sock.is_quiet():
                return connection
            connection.close()
        return None

    def _new(self, target: Target) -> _Timed:
        connection: _Timed
        scheme, host, port = target.origin
        if scheme == "https":
            if self._context is None:
                self._context = tls_context(self.sockets)
            connection = TimedHTTPSConnection(
                host, port, ssl_context=self._context
            )
        else:
            connection = TimedHTTPConnection(host, port)
        connection.sockets = self.sockets
        return connection

    def close(self) -> None:
        """
        Close the idle connections.
        """
        for idle in list(self._idle.values()):
            while idle:
                with suppress(IndexError):
                    idle.pop().close()

    def forget(self) -> None:
        """
        Drop the idle connections as they are: for a forked child, where
        closing one may take a lock that nobody gives back.
        """
        self._idle.clear()
