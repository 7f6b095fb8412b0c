# SPDX-License-Identifier: MIT
"""
What the pool promises: no imports at request time, and letting go after a
fork.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading

import pytest

from ringamp.options import Options
from ringamp.status import Status
from ringamp.transport.http import HTTPTransport
from ringamp.transport.payload import Envelope

PRELUDE = """
    import os, socket, sys, threading, time
    from ringamp.options import Options
    from ringamp.transport.http import HTTPTransport
    from ringamp.transport.payload import Envelope

    url = sys.argv[1]
    options = Options.build(server_url=url)
    payload = Envelope("0123456789abcdef", options).payload([{"a": 1}])
    transport = HTTPTransport(options)

    def send(transport):
        return transport.send_payload(payload).status_code
"""


def run(script, url):
    """
    Run *script* in a process of its own, in which every warning is an error.
    """
    done = subprocess.run(
        [
            sys.executable,
            *("-W", "error", "-W", "ignore:This process:DeprecationWarning"),
            "-c",
            textwrap.dedent(PRELUDE) + textwrap.dedent(script),
            url,
        ],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout.split()


@pytest.mark.parametrize("tls", [False, True])
def test_a_request_imports_nothing(serve, trusted_tls, tls):
    """
    A forked child may have inherited the lock of an import: none is needed.
    """
    server = serve(tls=trusted_tls if tls else None)

    told = run(
        """
        before = set(sys.modules)
        class Refuse:
            def find_spec(self, name, *args):
                print("import", name)
        sys.meta_path.insert(0, Refuse())
        print(send(transport))
        print(send(transport))
        print(*(set(sys.modules) - before))
        transport.close()
        """,
        server.url,
    )

    assert told == ["200", "200"]


@pytest.mark.parametrize("tls", [False, True])
def test_a_transport_that_is_dropped_closes_its_connections(
    serve, trusted_tls, tls
):
    """
    Whoever forgets to close it leaves nothing open and is not warned.
    """
    server = serve(tls=trusted_tls if tls else None)

    told = run(
        """
        print(send(transport))
        (sock,) = transport._connections.sockets
        del transport
        assert sock.fileno() == -1
        """,
        server.url,
    )

    assert told == ["200"]
    assert server.ended.acquire(timeout=30)


@pytest.mark.parametrize("tls", [False, True])
def test_a_transport_closed_under_a_request_leaves_no_connection(
    serve, spell, trusted_tls, tls
):
    """
    The request is answered, its connection kept, and closed in the end.
    """
    both = threading.Barrier(2)

    def answer_both(line):
        both.wait(30)
        line.send(spell())

    scripts = [b"", answer_both, answer_both]
    server = serve(*scripts, tls=trusted_tls if tls else None)

    told = run(
        """
        print(send(transport))
        (sock,) = transport._connections.sockets
        (idle,) = transport._connections._idle.values()
        def go(transport):
            print(send(transport))
        thread = threading.Thread(target=go, args=[transport])
        thread.start()
        while idle:
            time.sleep(0.001)
        transport.close()
        other = HTTPTransport(options)
        assert send(other) == 200  # Both are answered when both have come.
        other.close()
        thread.join()
        del transport
        assert sock.fileno() == -1
        """,
        server.url,
    )

    assert told == ["200", "200"]
    assert server.connections == 2


@pytest.mark.parametrize("tls", [False, True])
def test_a_child_lets_go_and_the_parent_goes_on(serve, trusted_tls, tls):
    """
    The child closes its copies without a goodbye and opens its own; the
    parent's connection lives on. Nobody warns about anything.
    """
    server = serve(tls=trusted_tls if tls else None)

    told = run(
        """
        print(send(transport), flush=True)
        pid = os.fork()
        if not pid:
            transport.abandon()
            assert repr(transport).endswith(" 1 connections>")
            transport = HTTPTransport(options)
            print(send(transport), flush=True)
            transport.close()
            sys.exit()
        assert os.waitpid(pid, 0)[1] == 0
        print(send(transport))
        transport.close()
        """,
        server.url,
    )

    assert told == ["200", "200", "200"]
    assert server.connections == 2


@pytest.mark.parametrize("tls", [False, True])
def test_a_child_of_a_busy_parent_ends(serve, spell, trusted_tls, tls):
    """
    Forked while a thread is inside a request, the child lets go, sends, and
    its interpreter ends; the parent's request is answered all the same.
    """

    def slow(line):
        # Until the other request has come as well.
        while len(server.requests) < 2 and not line.stopped.wait(0.005):
            pass
        line.send(spell())

    server = serve(slow, tls=trusted_tls if tls else None)

    told = run(
        """
        def tell(words):
            os.write(1, words)  # Whole, beside those of another process.

        thread = threading.Thread(
            target=lambda: tell(b"%d\\n" % send(transport)))
        thread.start()
        while not transport._connections.sockets:
            time.sleep(0.001)
        time.sleep(0.1)
        pid = os.fork()
        if not pid:
            transport.abandon()
            transport = HTTPTransport(options)
            tell(b"child %d\\n" % send(transport))
            transport.close()
            sys.exit()
        assert os.waitpid(pid, 0)[1] == 0
        thread.join()
        transport.close()
        """,
        server.url,
    )

    assert sorted(told) == ["200", "200", "child"]


def test_an_abandoned_descriptor_that_is_another_file_stays(serve, tmp_path):
    """
    A daemon that closed what it inherited keeps what it opened since.
    """
    server = serve()
    options = Options.build(server_url=server.url)
    transport = HTTPTransport(options)
    payload = Envelope("KEY", options).payload([{"a": 1}])
    assert transport.send_payload(payload).status is Status.SUCCESS
    (sock,) = transport._connections.sockets
    number = sock.fileno()
    with (tmp_path / "other").open("w") as other:
        os.dup2(other.fileno(), number)

        transport.abandon()

        assert os.fstat(number).st_ino == os.fstat(other.fileno()).st_ino
    os.close(number)


def test_abandoning_twice_is_harmless(serve):
    """
    The second call finds nothing to close.
    """
    server = serve()
    options = Options.build(server_url=server.url)
    transport = HTTPTransport(options)
    payload = Envelope("KEY", options).payload([{"a": 1}])
    transport.send_payload(payload)

    transport.abandon()
    transport.abandon()

    assert server.ended.acquire(timeout=30)
