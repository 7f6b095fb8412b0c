# SPDX-License-Identifier: MIT
"""
Forks in the middle of a TLS exchange: the connection stays the parent's.

The server checks for it by itself: a record that the child wrote on the
parent's connection, or a goodbye, has a wrong MAC or ends the session.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading

import pytest
import runner

trustme = pytest.importorskip("trustme")
pytestmark = pytest.mark.process

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n"
BODY = b'{"code":200}'
assert len(BODY) == 12


class TlsService:
    """
    Answers every request over TLS, the first one when told to.

    Args:
        context: Of the server.

        hold: "read": it reads nothing of the first request's body until told
            to; "answer": it sends half of the first answer before.
    """

    def __init__(self, context, hold):
        self._context = context
        self._hold = hold
        self.go_on = threading.Event()
        self.reached = threading.Event()
        self.problems = []
        self.connections = []
        self._first = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        # So that a body fills it, and the client waits inside of a write.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                thread = threading.Thread(
                    target=self._serve, args=(sock,), daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def _serve(self, sock):
        tags = []
        self.connections.append(tags)
        try:
            with self._context.wrap_socket(sock, server_side=True) as tls:
                while self._exchange(tls, tags):
                    pass
        except OSError as error:
            self.problems.append(repr(error))

    def _exchange(self, tls, tags):
        first, self._first = self._first, False
        head = b""
        while b"\r\n\r\n" not in head:
            part = tls.recv(1)
            if not part:
                return False
            head += part
        if first and self._hold == "read":
            self.reached.set()
            self.go_on.wait(20)
        length = int(head.lower().split(b"content-length:")[1].split()[0])
        body = b""
        while len(body) < length:
            body += tls.recv(65536)
        tags += [
            event["event_properties"]["tag"]
            for event in json.loads(body)["events"]
        ]
        tls.sendall(ANSWER + BODY[:6])
        if first and self._hold == "answer":
            self.reached.set()
            self.go_on.wait(20)
        tls.sendall(BODY[6:])
        return True

    def stop(self):
        """
        Listen no longer; wait for the connections to end.
        """
        with contextlib.suppress(OSError):  # Stopped before.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)


@pytest.fixture
def service(tmp_path):
    """
    Start a service whose certificate the program trusts.
    """
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    started = []

    def start(hold):
        started.append(TlsService(context, hold))
        return started[-1]

    yield start
    for one in started:
        one.go_on.set()
        one.stop()


SOURCE = """
import sys, time, workload
client = workload.begin(request_timeout_millis=15000,
                        upload_interval_in_sec=60)
# More than the kernel takes while nobody reads.
for number in range(12):
    big = workload.event(f"p-{number}")
    big["event_properties"]["filling"] = "x" * 900_000
    receipt = client.log_event(big)
client.flush()
sys.stdin.readline()
thread = client._session._flusher._thread
give_up = time.monotonic() + 5
inside = ""
while inside not in ("send", "read") and time.monotonic() < give_up:
    inside = sys._current_frames()[thread].f_code.co_name

def child(name, again):
    workload.log(client, name, 5)
    if again:
        assert workload.reap(workload.fork(child, "g", False)) == 0
    client.shutdown()
    # As a child does that lives on: what it inherited is collected.
    import gc
    gc.collect()

codes = [workload.reap(workload.fork(child, f"c{n}", n)) for n in range(2)]
workload.tell(who="forked", codes=codes, inside=inside,
              early=receipt.response is not None)
first = receipt.result(10)
workload.log(client, "q", 5)
client.flush().result(10)
stats = client.stats()
workload.tell(who="end", first=first.status, requests=stats.requests,
              retries=stats.retries)
"""


@pytest.mark.parametrize("hold", ["read", "answer"])
def test_a_fork_inside_a_tls_exchange(service, tmp_path, hold):
    """
    The flusher is inside a write, or inside a read, when the process forks:
    children use connections of their own, and the parent's exchange ends
    well, as does its next one on the same connection.
    """
    server = service(hold)
    program = runner.start(
        SOURCE,
        url=f"https://localhost:{server.port}/batch",
        SSL_CERT_FILE=str(tmp_path / "ca.pem"),
        stdin=True,
    )
    try:
        assert server.reached.wait(10)
        program.say("fork")
        forked = program.hear()
        server.go_on.set()
    finally:
        run = program.wait(20)
    server.stop()

    assert (forked["codes"], forked["early"]) == ([0, 0], False)
    assert forked["inside"] == {"read": "send", "answer": "read"}[hold]
    assert (run.code, run.err) == (0, "")
    assert run.the(who="end") == {
        "who": "end",
        "first": "success",
        "requests": 2,
        "retries": 0,
    }
    names = {name: [f"{name}-{n}" for n in range(5)] for name in "cgq"}
    expected = [
        [*(f"p-{n}" for n in range(12)), *names["q"]],
        [f"c0-{n}" for n in range(5)],
        [f"c1-{n}" for n in range(5)],
        names["g"],
    ]
    assert sorted(server.connections) == sorted(expected)
    assert server.problems == []
