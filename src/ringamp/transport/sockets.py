# SPDX-License-Identifier: MIT
"""
Sockets whose every wait ends at a deadline, and that a forked child can let
go of.

gevent and eventlet put classes of their own in the place of `socket.socket`
and `ssl.SSLSocket`, often after this module was imported: gunicorn does so in
the worker, where the application may have been loaded by the master. A socket
of the old kind would stop every greenlet while it waits. So the classes are
made when a pool is, over those that the interpreter has by then.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from ringamp.clock import SystemClock

_now = SystemClock.monotonic

if TYPE_CHECKING:
    _Socket = socket.socket
    _TLSSocket = ssl.SSLSocket
else:
    _Socket = _TLSSocket = object


class TimedSocket(_Socket):
    """
    What is mixed into a class of sockets: whoever waits calls `hurry` before,
    so that the wait ends at *deadline*.

    Attributes:
        plain: The class it is mixed into, without TLS.

        deadline: A monotonic time, of the request it is used for.

        inode: Tells this socket from a later file with the same descriptor.
    """

    plain: type[socket.socket]
    deadline: float
    inode: int = -1

    def record(self, sockets: WeakSet[TimedSocket]) -> None:
        """
        Note this socket in *sockets*, so that a child can let go of it.
        """
        self.inode = os.fstat(self.fileno()).st_ino
        sockets.add(self)

    def abandon(self) -> None:
        """
        Close the descriptor and nothing more: no TLS shutdown, no warning.

        A daemon may have closed what it inherited and opened something else
        under the same number; that is left alone.
        """
        descriptor = self.detach()
        try:
            if os.fstat(descriptor).st_ino == self.inode:
                os.close(descriptor)
        except OSError:
            return  # Closed already, here or by whoever forked.

    def cut(self) -> None:
        """
        Make the thread fail that waits for this socket, past the TLS layer,
        whose state belongs to it.
        """
        with suppress(OSError):
            self.plain.shutdown(self, socket.SHUT_RDWR)

    def is_quiet(self) -> bool:
        """
        Whether nothing has come. Where no answer is due, whatever has come
        belongs to no request, and a server's goodbye counts as well.
        """
        if not hasattr(select, "poll"):  # eventlet takes it away.
            return not select.select([self], [], [], 0)[0]
        poll = select.poll()
        poll.register(self, select.POLLIN)
        return not poll.poll(0)

    def hurry(self) -> None:
        """
        Bound the next wait by what is left.

        Raises:
            TimeoutError: Nothing is.
        """
        left = self.deadline - _now()
        if left <= 0:
            raise TimeoutError("the deadline of the request has passed")
        self.settimeout(left)


class TimedTLSSocket(TimedSocket, _TLSSocket):
    """
    The same over TLS, recorded before the handshake begins.
    """

    sockets: WeakSet[TimedSocket]

    def do_handshake(self, *args: Any) -> None:
        """
        Record the socket, which is a new object over the same descriptor.
        """
        self.record(self.sockets)
        super().do_handshake(*args)

    def send(self, *args: Any, **kwargs: Any) -> int:
        """
        Send, within the deadline: `sendall` does it in several of these,
        where that of a plain socket bounds them all together.
        """
        self.hurry()
        return super().send(*args, **kwargs)


_plain: dict[type[socket.socket], type[TimedSocket]] = {}


def plain_class() -> type[TimedSocket]:
    """
    The class of sockets without TLS, as the interpreter is now.
    """
    base = socket.socket
    made = _plain.get(base)
    if made is None:
        made = type("PlainSocket", (TimedSocket, base), {"plain": base})
    return _plain.setdefault(base, made)


def tls_context(sockets: WeakSet[TimedSocket]) -> ssl.SSLContext:
    """
    Make a context that verifies, and whose sockets know the deadline.

    Args:
        sockets: Where they are recorded.
    """
    context = ssl.create_default_context()
    context.sslsocket_class = type(
        "RecordedTLSSocket",
        (TimedTLSSocket, context.sslsocket_class),
        {"plain": socket.socket, "sockets": sockets},
    )
    return context
