# SPDX-License-Identifier: MIT
"""
urllib3's pool, held to three promises it does not make by itself.

A request has one deadline. A socket's timeout bounds one wait only, so a
server that sends a byte a second can hold a thread for ever. Here every wait
of a socket (connect, handshake, send, each read of head and body) is bounded
by what is left of the whole request's time. The pool needs no help for that:
it sets a connection's *timeout* to the time that remains, and reading
*timeout* here gives the time that remains at that moment.

A forked child can let go. The sockets are recorded from their creation, so
that `HTTPTransport.abandon` can close the child's copies of the descriptors
without going through a pool whose state belongs to threads that were not
copied.

No lock is needed to do so. urllib3 keeps idle connections in a
`queue.LifoQueue` and drains it when the pool is collected or the interpreter
exits; in a forked child its mutex may be held for ever. `IdleConnections`
has none: appending to and popping from a list are atomic.
"""

from __future__ import annotations

import _socket
import queue
import socket
import ssl
from typing import Any
from weakref import WeakSet

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.response import BaseHTTPResponse
from urllib3.util.connection import allowed_gai_family

from ringamp.bindings import generation
from ringamp.clock import SystemClock
from ringamp.transport.sockets import TimedSocket, plain_class, tls_context

_now = SystemClock.monotonic

# Zero would make a socket non-blocking instead of late.
_SHORTEST_WAIT = 1e-6

# urllib3 asks the codec registry for this while it connects, and a codec's
# first use imports a module: never at request time, since a forked child may
# have inherited that module's import lock from a thread that holds it.
"localhost".encode("idna")

# What a connection shows that the server closed while it was idle.
_CLOSED = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)


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
    """

    sockets: WeakSet[TimedSocket]
    socket_class: type[TimedSocket]
    _deadline: float | None = None
    _was_used = False
    _is_reused = False

    @property
    def timeout(self) -> float | None:
        """
        Seconds that are left; setting it sets the deadline.
        """
        if self._deadline is None:
            return None
        return max(self._deadline - _now(), _SHORTEST_WAIT)

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        self._deadline = None if seconds is None else _now() + seconds
        sock = getattr(self, "sock", None)
        if isinstance(sock, TimedSocket):
            sock.deadline = self._deadline

    def _new_conn(self) -> TimedSocket:
        """
        Connect to the first of the host's addresses that answers.

        An address that swallows packets may use up its share of the time
        only, so that the next one has a chance.
        """
        owner = generation()
        try:
            found = _addresses(self._dns_host.strip("[]"), self.port)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        problem: OSError | None = None
        for tried, (family, kind, proto, _, address) in enumerate(found):
            if generation() != owner:
                # A greenlet that waited, copied by a fork.
                raise ConnectionAbortedError
            sock = self.socket_class(family, kind, proto)
            sock.record(self.sockets)
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                if self.timeout is not None:
                    sock.settimeout(self.timeout / (len(found) - tried))
                sock.connect(address)
            except OSError as error:
                sock.close()
                problem = error
                continue
            # A handshake takes its whole time from this one value.
            sock.settimeout(self.timeout)
            sock.deadline = self._deadline
            return sock
        if isinstance(problem, TimeoutError):
            raise ConnectTimeoutError(self, "timed out") from problem
        raise NewConnectionError(self, "not connected") from problem

    def connect(self) -> None:
        """
        Connect; the handshake, if there is one, is part of it.
        """
        self._was_used = False
        super().connect()
        if isinstance(self.sock, TimedSocket):
            self.sock.deadline = self._deadline

    def request(self, *args: Any, **kwargs: Any) -> None:
        """
        Send a request, and remember whether others went this way before.
        """
        self._is_reused = self._was_used and self.sock is not None
        sock = self.sock
        if isinstance(sock, TimedSocket):
            sock.received = 0
        try:
            super().request(*args, **kwargs)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
            # A broken pipe is not met here: the pool ignores it, since the
            # server may have answered before it had read everything.
            if self._is_stale(sock):
                raise StaleConnectionError from error
            raise
        finally:
            self._was_used = True

    def getresponse(self) -> BaseHTTPResponse:  # type: ignore[override]
        """
        Read the head of the answer.
        """
        sock = self.sock
        answer = None
        try:
            answer = super().getresponse()
        except _CLOSED as error:
            if self._is_stale(sock):
                raise StaleConnectionError from error
            raise
        finally:
            # What cannot be read may leave a reader behind, which would keep
            # the descriptor open until it is collected.
            if answer is None and isinstance(sock, TimedSocket):
                sock.abandon()
        return answer

    def _is_stale(self, sock: object) -> bool:
        """
        Tell a connection that idled too long from a request that failed.
        """
        nothing = isinstance(sock, TimedSocket) and sock.received == 0
        return self._is_reused and nothing


class TimedHTTPConnection(_Timed):
    """
    A plain connection.
    """


class TimedHTTPSConnection(_Timed, HTTPSConnection):
    """
    A connection over TLS.
    """


class IdleConnections:
    """
    A last-in-first-out queue without a lock, as urllib3 uses one.
    """

    def __init__(self, maxsize: int = 0) -> None:
        self._maxsize = maxsize
        self._stack: list[Any] = []

    def get(self, block: bool = False, timeout: float | None = None) -> Any:
        """
        Take the connection used last; never waits.
        """
        del block, timeout
        try:
            return self._stack.pop()
        except IndexError:
            raise queue.Empty from None

    def put(self, item: Any, block: bool = False) -> None:
        """
        Put a connection back; never waits.
        """
        del block
        if len(self._stack) >= self._maxsize:
            raise queue.Full
        self._stack.append(item)

    def qsize(self) -> int:
        """
        Count what is here.
        """
        return len(self._stack)


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = TimedHTTPConnection
    # Duck-typed: a LifoQueue's own __init__ would make the lock.
    QueueCls = IdleConnections  # type: ignore[assignment]
    sockets: WeakSet[TimedSocket]
    socket_class: type[TimedSocket]

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        connection.sockets = self.sockets
        connection.socket_class = self.socket_class
        return connection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = TimedHTTPSConnection
    # Duck-typed: a LifoQueue's own __init__ would make the lock.
    QueueCls = IdleConnections  # type: ignore[assignment]
    sockets: WeakSet[TimedSocket]
    socket_class: type[TimedSocket]

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        connection.sockets = self.sockets
        connection.socket_class = self.socket_class
        return connection


class Connections(PoolManager):
    """
    The pools of one transport.

    Certificates are checked against the standard places of the machine's
    OpenSSL, or the file that the environment variable SSL_CERT_FILE names.
    They are read when the first TLS pool is made, in the process that uses
    it. Proxies named by the environment are not used.

    Attributes:
        sockets: All sockets that are open, connecting or in use.
    """

    def __init__(self) -> None:
        # The number of hosts is one or two; of idle connections to keep, as
        # many as there may be uploads at a time.
        super().__init__(num_pools=4, maxsize=16, block=False)
        self.sockets: WeakSet[TimedSocket] = WeakSet()
        self.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
        self._made: WeakSet[HTTPConnectionPool] = WeakSet()

    def _new_pool(
        self,
        scheme: str,
        host: str,
        port: int,
        request_context: dict[str, Any] | None = None,
    ) -> HTTPConnectionPool:
        context = dict(request_context or self.connection_pool_kw)
        if scheme == "https":
            context["ssl_context"] = tls_context(self.sockets)
        pool: Any = super()._new_pool(scheme, host, port, context)
        pool.sockets = self.sockets
        pool.socket_class = plain_class()
        self._made.add(pool)
        made: HTTPConnectionPool = pool
        return made

    def close(self) -> None:
        """
        Close the idle connections and forget the pools.
        """
        self.clear()
        for pool in list(self._made):
            pool.close()
