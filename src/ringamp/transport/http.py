# SPDX-License-Identifier: MIT
"""
The transport everyone has: POST over HTTP(S), kept alive, verified, bounded.

Whatever happens on the way is a `Response`; nothing that traffic can do
raises. A failure's words come from the table below and name the host, never
the URL's query or the body, which holds the API key.

Redirects are not followed: what a response means is the retry policy's
business. One repeat happens here, at once: where
a kept-alive connection turns out to have been closed by the server before
any byte of an answer was read. Load balancers close idle connections all the
time; charging an attempt for it would cost a delay, and the batch itself
where no retries are configured. Should the request have arrived after all,
the events' insert_ids let the service drop the second copy.

With the option *compression* there is a second repeat, also at once and for
the same reason: a packed body that a proxy refuses goes again as it is; see
compression.py.

The environment's proxy variables are not read. The deadline covers all but
the resolution of the host's name, which cannot be interrupted; the time it
takes is charged to the request.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from ringamp.clock import SystemClock
from ringamp.counters import Traffic
from ringamp.options import Options
from ringamp.protocols import Payload
from ringamp.redaction import redact
from ringamp.status import Response, Status
from ringamp.transport.classify import classify
from ringamp.transport.compression import HEADER, Compression
from ringamp.transport.connections import Connections, StaleConnectionError
from ringamp.transport.payload import Body
from ringamp.transport.sockets import TimedSocket
from ringamp.transport.targets import target_of

# ValueError: a URL or a header that cannot be sent; the codec of host names
# raises a subclass of it.
_TRAFFIC = (OSError, http.client.HTTPException, ValueError)


class _Failure(msgspec.Struct, frozen=True):
    """
    One row: an exception, what it is called, and in what words.
    """

    cause: type[BaseException]
    status: Status
    words: str


# The first row that fits anything in the chain of causes wins, so the
# special ones stand above the general ones.
_FAILURES = (
    _Failure(TimeoutError, Status.TIMEOUT, "no answer in time"),
    _Failure(socket.gaierror, Status.SYSTEM_ERROR, "name does not resolve"),
    _Failure(
        ConnectionRefusedError, Status.SYSTEM_ERROR, "connection refused"
    ),
    _Failure(
        ssl.SSLCertVerificationError,
        Status.SYSTEM_ERROR,
        "certificate not trusted",
    ),
    _Failure(ssl.SSLError, Status.SYSTEM_ERROR, "TLS failed"),
    _Failure(ConnectionError, Status.SYSTEM_ERROR, "connection lost"),
    _Failure(
        http.client.IncompleteRead, Status.SYSTEM_ERROR, "answer cut short"
    ),
    _Failure(
        http.client.HTTPException, Status.SYSTEM_ERROR, "answer is not HTTP"
    ),
    _Failure(OSError, Status.SYSTEM_ERROR, "no connection"),
    _Failure(Exception, Status.SYSTEM_ERROR, "request failed"),
)

_INTERRUPTED = Response(Status.SYSTEM_ERROR, 0, None, "interrupted")

# Sockets given up after a fork. Freeing a TLS socket can take a lock inside
# OpenSSL that a thread of the parent held when it forked, so they are kept.
_abandoned: list[TimedSocket] = []


class HTTPTransport:
    """
    Send payloads to an HTTP(S) server.

    Connections are kept alive and reused; several threads may send at once.

    Args:
        options: Of the instance; every payload brings its URL and time.

    Attributes:
        traffic: Counts the bytes of the bodies that were sent.

    .. versionadded:: 0.1.0
    """

    def __init__(self, options: Options) -> None:
        self._host = _host(options.url)
        self._compression = Compression(
            self._host, is_asked=options.compression is not None
        )
        self.traffic = Traffic()
        self._connections = Connections()
        self._is_ending = False

    def __repr__(self) -> str:
        return (
            f"<HTTPTransport: {self._host},"
            f" {len(self._connections.sockets)} connections>"
        )

    def send_payload(self, payload: Payload) -> Response:
        """
        Send *payload* and say what came of it, within its *timeout*.

        Returns:
            What the service answered; `Status.TIMEOUT` or
            `Status.SYSTEM_ERROR` with status code 0 where there was no
            whole answer.
        """
        deadline = SystemClock.monotonic() + payload.timeout
        packed = self._compression.pack(payload.body)
        if packed is not None:
            response = self._deliver(
                payload, packed, {**payload.headers, **HEADER}, deadline
            )
            if not self._compression.may_be_refused(response):
                saved = len(payload.body) - len(packed)
                self.traffic.count(len(packed), saved)
                return response
            self.traffic.count(len(packed), 0)
            if self._is_ending:
                # Nothing is begun any more, and the refusal is none of the
                # events' fault.
                return _INTERRUPTED
        response = self._deliver(
            payload, payload.body, payload.headers, deadline
        )
        self.traffic.count(len(payload.body), 0)
        if packed is not None:
            self._compression.learn(response)
        return response

    def _deliver(
        self,
        payload: Payload,
        body: Body,
        headers: Mapping[str, str],
        deadline: float,
    ) -> Response:
        """
        Send *body*, which is the payload's, packed or as it is.
        """
        # Every idle connection may be stale, after a laptop's sleep or a
        # function's freeze; each failure uses one up, so this ends.
        while True:
            try:
                return self._send(payload, body, headers, deadline)
            except _TRAFFIC as error:
                causes = _causes(error)
            stale = any(isinstance(e, StaleConnectionError) for e in causes)
            if self._is_ending or not stale:
                return _failure(causes, _host(payload.url))

    def _send(
        self,
        payload: Payload,
        body: Body,
        headers: Mapping[str, str],
        deadline: float,
    ) -> Response:
        """
        Make one request and read its answer.
        """
        target = target_of(payload.url, tuple(headers.items()))
        answer = self._connections.exchange(target, body, deadline)
        said = redact(answer.body, payload.body)
        if answer.status == http.client.OK:
            # Nearly all are; only a failure says when to come back.
            return classify(answer.status, said)
        return classify(
            answer.status, said, answer.headers, SystemClock.wall()
        )

    def close(self) -> None:
        """
        Close the idle connections. A later payload opens new ones.
        """
        self._connections.close()

    def interrupt(self) -> None:
        """
        Make the requests that other threads are in fail at once: the process
        is ending and cannot wait for their deadlines.
        """
        self._is_ending = True
        for sock in list(self._connections.sockets):
            sock.cut()

    def abandon(self) -> None:
        """
        Let go of what was inherited: for a forked child, before it forgets
        this transport.

        The child's copies of the descriptors are closed, and nothing else
        happens. No lock is taken, since the thread that holds it may not
        exist here; no TLS goodbye is said, since that would end the parent's
        session.
        """
        sockets = list(self._connections.sockets)
        _abandoned.extend(sockets)
        self._connections.forget()
        for sock in sockets:
            sock.abandon()


def _causes(error: BaseException) -> list[BaseException]:
    """
    List *error* and all that is behind it.
    """
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        cause = waiting.pop(0)
        if cause is not None and cause not in found:
            found.append(cause)
            waiting += [cause.__cause__, cause.__context__]
    return found


def _failure(causes: list[BaseException], host: str) -> Response:
    """
    Put a failure into words that are safe to log.
    """
    row, cause = next(
        (row, cause)
        for row in _FAILURES
        for cause in causes
        if isinstance(cause, row.cause)
    )
    detail = _detail(cause)
    words = f"{row.words} ({host})"
    return Response(
        row.status, 0, None, f"{words}: {detail}" if detail else words
    )


def _detail(cause: BaseException) -> str | None:
    """
    Add what the system says, where it cannot quote the request.
    """
    if isinstance(cause, ssl.SSLCertVerificationError):
        return cause.verify_message
    if isinstance(cause, ssl.SSLError):
        return cause.reason
    if isinstance(cause, socket.gaierror):
        return None
    if isinstance(cause, OSError):
        return os.strerror(cause.errno) if cause.errno else None
    return type(cause).__name__


def _host(url: str) -> str:
    """
    Take host and port of *url*, without user, path and query.
    """
    return urlsplit(url).netloc.rpartition("@")[2]
