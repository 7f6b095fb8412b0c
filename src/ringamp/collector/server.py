# SPDX-License-Identifier: MIT
"""
The server: a uvicorn in a thread of its own, started and stopped cleanly.

uvicorn's own `Server.serve` looks ten times a second whether it shall end,
installs signal handlers and waits for idle connections. Here its parts are
used instead: `startup` to listen (again and again, for *refuse*), and its
sets of connections and tasks to end.

A port that refuses connections stays bound, without listening. Were it free,
another process could get it; and a client that dials a free port of the
ephemeral range over and over may meet itself there.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import math
import socket
import threading
from collections.abc import Iterable
from typing import Any, final

import uvicorn

from ringamp.clock import Clock, SystemClock
from ringamp.collector import rules, wire
from ringamp.collector.app import Answering, Api
from ringamp.collector.control import Control, build_app
from ringamp.collector.counting import CountingProtocol, Sink, count_only
from ringamp.collector.faults import Faults
from ringamp.collector.gate import Gate
from ringamp.collector.guard import PROTECTION, Guard, Refusal
from ringamp.collector.ledger import Ledger
from ringamp.collector.losses import Loss
from ringamp.collector.settings import (
    API_PATHS,
    BATCH_PATH,
    HTTP_V2_PATH,
    Settings,
)
from ringamp.collector.state import State

KEEP_ALIVE = 75
"""Seconds an idle connection is kept; nginx's default."""

MAX_PORT = 65_535

EVERYWHERE = "0.0.0.0"  # noqa: S104 - what an empty host means to a socket.

ACCEPT_ROUNDS = 4
"""
Turns of the event loop until a connection that asyncio accepted is sure to be
among uvicorn's: one for its task to start, one for *connection_made*, and two
to spare.
"""


@final
class Collector:
    """
    A stand-in for Amplitude on this machine.

        with Collector() as collector:
            client = ringamp.init("KEY", server_url=collector.url)
            ...
            assert collector.ledger.summary().accepted == 100

    A fork of this process inherits the connections that are open, and while
    it holds them their end, even a reset, does not reach the peer. A test that
    forks and plays such faults wants a `CollectorProcess`.

    Args:
        port: 0: any free one.

        host: Where to listen.

        allow_hosts:
            Names it goes by beside localhost and the addresses it listens
            on, such as "collector" or "collector:8088". Others are refused.

        allow_origins:
            Pages that may post to the service's paths, such as
            "http://localhost:3000". None may by itself.

        settings: How strict to be.

        latency_millis: Milliseconds before each answer.

        counting: Count only; see `ringamp.collector.counting`.

        keep_events: How many of the newest events to keep whole.

        keep_insert_ids: How many insert_ids to keep in order.

        seed: Of the faults played by chance.

        clock: Tells the time, for rates and answers.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        allow_hosts: Iterable[str] = (),
        allow_origins: Iterable[str] = (),
        settings: Settings | None = None,
        latency_millis: float = 0.0,
        counting: bool = False,
        keep_events: int = 10_000,
        keep_insert_ids: int = 5_000_000,
        seed: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not 0 <= port <= MAX_PORT:
            raise ValueError(f"port: {port} is not in 0..{MAX_PORT}")
        if not 0 <= latency_millis < math.inf:
            raise ValueError(f"latency_millis: {latency_millis} is no time")
        self.settings = settings or Settings()
        self._guard = Guard(
            host or EVERYWHERE, allow_hosts, allow_origins, API_PATHS
        )
        self.ledger = Ledger(keep_events, keep_insert_ids)
        self.faults = Faults(seed)
        self._address = (host, port)
        self._counting = counting
        self._clock = clock or SystemClock()
        self._latency = latency_millis / 1000
        self._state = State(self.settings.dedupe_memory)
        self._thread: threading.Thread | None = None
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop
        self._stopping: asyncio.Event
        self._server: uvicorn.Server
        self._reopening: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        running = "running" if self._thread else "stopped"
        return f"Collector({self.base_url!r}, {running}, {self.ledger})"

    def __enter__(self) -> Collector:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """
        The port; 0 before the start if none was asked for.
        """
        return self._address[1]

    @property
    def base_url(self) -> str:
        """
        The URL without a path.
        """
        host, port = self._address
        return (
            f"http://[{host}]:{port}"
            if ":" in host
            else (f"http://{host}:{port}")
        )

    @property
    def url(self) -> str:
        """
        The URL of the HTTP V2 API.
        """
        return self.base_url + HTTP_V2_PATH

    @property
    def batch_url(self) -> str:
        """
        The URL of the batch API.
        """
        return self.base_url + BATCH_PATH

    def start(self) -> None:
        """
        Listen; return when connections are accepted.

        Raises:
            OSError: The address cannot be had.
        """
        if self._thread is not None:
            raise RuntimeError("the collector runs already")
        listener = self._bind()
        self._address = listener.getsockname()[:2]
        self._started.clear()
        self._failure = None
        self._thread = threading.Thread(
            target=self._run,
            args=(listener,),
            name="ringamp-collector",
            daemon=True,
        )
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            listener.close()
            self.stop()

    def stop(self) -> None:
        """
        Close all connections and end the thread. May be called twice.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._failure is None:
            self._loop.call_soon_threadsafe(self._stopping.set)
        thread.join()
        if self._failure is not None:
            raise self._failure

    def reset(self) -> None:
        """
        Forget what arrived, the service's memory, and the faults to come.
        """
        self.faults.clear()
        self.ledger.reset()
        self._state = State(self.settings.dedupe_memory)

    def refuse(self, seconds: float) -> None:
        """
        Refuse connections from now on, for *seconds*, and cut those there
        are. Returns when the first connection would be refused.
        """
        asyncio.run_coroutine_threadsafe(
            self._refuse(seconds), self._loop
        ).result()

    def _bind(self) -> socket.socket:
        host, port = self._address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # asyncio turns Nagle's algorithm off only where it reads "TCP" here,
        # and an answer's head and body are two writes: 40 ms a request.
        listener = socket.socket(
            family, socket.SOCK_STREAM, socket.IPPROTO_TCP
        )
        try:
            # So that connections in TIME_WAIT do not keep the port from us.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
        except OSError:
            listener.close()
            raise
        except UnicodeError as error:
            listener.close()
            raise OSError(errno.EINVAL, f"no host: {error}") from None
        return listener

    def _run(self, listener: socket.socket) -> None:
        try:
            asyncio.run(self._serve(listener))
        except BaseException as error:
            self._failure = error
        finally:
            self._started.set()

    async def _serve(self, listener: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._reopening = None
        config = self._config()
        config.load()
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)
        # uvicorn does this on its every tick, and here nothing ticks.
        self._server.server_state.default_headers = config.encoded_headers
        if self._counting:
            self._server.lifespan.state["sink"] = Sink(
                self.ledger, self.faults, self._clock, self._latency
            )
        await self._server.startup(sockets=[listener])
        self._started.set()
        await self._stopping.wait()
        await self._end()

    def _config(self) -> uvicorn.Config:
        api = Api(
            settings=self.settings,
            answering=self._answering(),
            ledger=self.ledger,
            faults=self.faults,
            clock=self._clock,
            latency=self._latency,
            pause=self._pause,
            refuse=self._refuse,
        )
        protocol: Any = (
            CountingProtocol if self._counting else wire.CollectorProtocol
        )
        control = Control(self.ledger, self.faults, self.reset)
        return uvicorn.Config(
            Gate(build_app(api, control), self._guard, self._refused),
            http=protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            headers=list(PROTECTION.items()),
            timeout_keep_alive=KEEP_ALIVE,
        )

    def _refused(self, refusal: Refusal) -> None:
        self.ledger.lose(Loss("refused", refusal.error))

    def _answering(self) -> Answering:
        if self._counting:
            return count_only
        return lambda request, now: rules.answer(
            request, self.settings, self._state, now
        )

    async def _pause(self, seconds: float) -> None:
        """
        Wait, but not beyond the end of the server.
        """
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except asyncio.TimeoutError:
            return

    async def _refuse(self, seconds: float) -> None:
        """
        Close the listening socket; have it open again after *seconds*.
        """
        if self._reopening is not None:
            self._reopening.cancel()
        await self._stop_listening()
        bound = self._bind()
        for connection in list(self._server.server_state.connections):
            wire.reset(connection.transport)
        self._reopening = asyncio.create_task(self._reopen(bound, seconds))

    async def _reopen(self, bound: socket.socket, seconds: float) -> None:
        try:
            await self._pause(seconds)
        except asyncio.CancelledError:
            bound.close()
            raise
        if self._stopping.is_set():
            bound.close()
        else:
            await self._server.startup(sockets=[bound])

    async def _stop_listening(self) -> None:
        """
        Close the listening sockets, and lose no connection on the way.

        A connection accepted but not made when asyncio's server closes is
        neither served nor closed. So first no more are accepted, then those
        under way arrive. What only the kernel accepted it resets itself.
        """
        for server in self._server.servers:
            for listener in server.sockets:
                self._loop.remove_reader(listener.fileno())
                # A fork of this process may hold the socket open; this ends
                # the listening for all (on Linux; elsewhere close must do).
                with contextlib.suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)
        for _ in range(ACCEPT_ROUNDS):
            await asyncio.sleep(0)
        for server in self._server.servers:
            server.close()

    async def _end(self) -> None:
        """
        Close the listener and every connection; wait for what still runs.

        Requests wake from their pauses, or find their peer gone.
        """
        state = self._server.server_state
        if self._reopening is not None:
            await asyncio.gather(self._reopening, return_exceptions=True)
        await self._stop_listening()
        while state.connections or state.tasks:
            for connection in list(state.connections):
                connection.transport.abort()
            await asyncio.sleep(0)
