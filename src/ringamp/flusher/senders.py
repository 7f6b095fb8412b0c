# SPDX-License-Identifier: MIT
"""
Which threads send the events of one ring.

User code runs on them: callbacks, a transport, a policy. Where it waits for
an event of the same ring it waits for its own thread, for ever; so it is told
at once.
"""

from __future__ import annotations

import _thread


class Senders:
    """
    The threads that send: the flusher's, those of the uploads, and the one
    that closes. A thread is one from `with` to the end of the block.
    """

    __slots__ = ("_threads",)

    def __init__(self) -> None:
        # A list, of which a thread may be an item twice. Each change is one
        # step of the interpreter, so there is no lock to inherit.
        self._threads: list[int] = []

    def __enter__(self) -> None:
        # Asked for by its full name: gevent may put another one there later.
        self._threads.append(_thread.get_ident())

    def __exit__(self, *_raised: object) -> None:
        self._threads.remove(_thread.get_ident())

    @property
    def has_caller(self) -> bool:
        """
        Whether the calling thread is one of them.
        """
        return _thread.get_ident() in self._threads

    def refuse_to_wait(self) -> None:
        """
        Raise where the calling thread would wait for itself.

        Raises:
            RuntimeError: It would.
        """
        if self.has_caller:
            raise RuntimeError(
                "this would wait for ever: the thread that sends the events "
                "is the one that waits here, in a callback, a transport, a "
                "retry class or middleware. Use future() and its callbacks, "
                "or wait in another thread"
            )
