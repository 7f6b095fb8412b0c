# SPDX-License-Identifier: MIT
"""
`init`, named instances, opting out, and what is there before `init`.
"""

from __future__ import annotations

import itertools
import logging
import threading

import pytest

import ringamp
from ringamp import MemoryTransport, Options, OptionsError, Response, Status
from ringamp.client import Client
from ringamp.collector import Fault

_numbers = itertools.count()


@pytest.fixture
def instances():
    """
    Give out named instances that nobody had before; shut them down.
    """
    made = []

    def make(name=None):
        name = name or f"instance-{next(_numbers)}"
        made.append(ringamp.get_instance(name))
        return made[-1]

    yield make
    for client in made:
        client.shutdown(0)


def test_instances_have_their_own_of_everything(instances, collector, event):
    """
    Options, middleware, opt-out, counts.
    """
    loud, quiet = instances(), instances()
    loud.init("key-one", server_url=collector.url, min_id_length=2)
    quiet.init("key-two", server_url=collector.url, opt_out=True)
    quiet.add_event_middleware(lambda payload, next: None)

    assert loud.log_event(event(user_id="ab")).result(30).status is (
        Status.SUCCESS
    )
    assert quiet.log_event(event()).status is Status.SKIPPED
    assert (loud.stats().logged, quiet.stats().logged) == (1, 0)
    assert loud.options.min_id_length == 2
    assert quiet.options.min_id_length == 5
    assert not loud.opt_out


def test_before_init_there_is_a_client_that_does_nothing(caplog, event):
    """
    It has options, counts, a flush and an end; it skips events, with one
    line for all, and takes middleware for later.
    """
    client = Client("unborn")
    seen = []
    client.add_event_middleware(
        lambda payload, next: (seen.append(1), next(payload))
    )

    with caplog.at_level(logging.WARNING, "ringamp"):
        receipts = [client.log_event(event(n)) for n in range(3)]
        receipts.append(client.identify("somebody", None, ringamp.Identify()))

    assert {r.status for r in receipts} == {Status.SKIPPED}
    assert receipts[0].result(0).error == "init was not called"
    assert caplog.text.count("before init") == 1
    assert client.options == Options()
    assert client.stats().logged == 0
    assert client.flush().result(0).status is Status.SKIPPED
    client.postfork()
    client.shutdown()
    client.init("a-key", transport_class=MemoryTransport())
    assert client.log_event(event()).result(30).status is Status.SUCCESS
    assert seen == [1]
    client.shutdown()


def test_strict_does_not_raise_before_init(event):
    """
    There are no options yet that could ask for it.
    """
    assert Client("unborn").log_event({}).status is Status.SKIPPED
    assert Client("unborn").log_event(None).status is Status.SKIPPED


WRONG = [
    ({"upload_intervall": 1}, "upload_interval"),
    ({"min_id_length": "five"}, "min_id_length"),
    ({"transport_class": object()}, "transport_class"),
    ({"serverUrl": "ftp://x"}, "server_url"),
]


@pytest.mark.parametrize(("options", "named"), WRONG)
def test_a_wrong_option_changes_nothing(make_client, event, options, named):
    """
    The client goes on with the old ones, its events and its counts.
    """
    client = make_client(upload_interval_in_sec=60)
    receipt = client.log_event(event())

    with pytest.raises(OptionsError, match=named):
        client.init("another-key", **options)

    assert client.stats().logged == 1
    assert client.options.upload_interval_in_sec == 60
    client.flush()
    assert receipt.result(30).status is Status.SUCCESS


def test_a_transport_that_cannot_be_made_changes_nothing(make_client, event):
    """
    The exception is the application's own; the old transport stays.
    """

    class Unmade:
        def __init__(self):
            raise LookupError("of mine")

        def send_payload(self, payload):
            """
            Never called.
            """

    client = make_client()

    with pytest.raises(LookupError, match="of mine"):
        client.init("another-key", transport_class=Unmade)

    assert client.log_event(event()).result(30).status is Status.SUCCESS


def test_init_waits_no_longer_than_the_old_options_allow(
    make_client, event, collector, until
):
    """
    What could not be sent by then is dropped and told; the new session works.
    """
    client = make_client(
        server_url="http://127.0.0.1:9/",
        retry_timeouts=[60_000],
        shutdown_timeout_millis=100,
    )
    old = client.log_event(event(1))
    until(lambda: client.stats().requests)

    client.init("another-key", server_url=collector.url)

    assert old.result(0).status is Status.DROPPED
    assert client.log_event(event(2)).result(30).status is Status.SUCCESS
    assert (client.stats().logged, client.stats().dropped) == (1, 0)


def test_init_after_shutdown_begins_anew(make_client, event, collector):
    """
    A client that was shut down may be used again.
    """
    client = make_client()
    client.shutdown()
    assert client.log_event(event(1)).status is Status.DROPPED

    client.init("another-key", server_url=collector.url)

    assert client.log_event(event(2)).result(30).status is Status.SUCCESS


def test_the_key_of_the_session_goes_with_its_events(
    make_client, event, recorder, collector
):
    """
    What was logged under the old key is sent under the old key.
    """
    client = make_client(transport_class=recorder, upload_interval_in_sec=60)
    client.log_event(event(1))
    client.init(
        "another-key", transport_class=recorder, server_url=collector.url
    )
    client.log_event(event(2)).result(30)

    keys = [body.split(b'"')[3] for body in recorder.bodies]
    assert keys == [b"0123456789abcdef0123456789abcdef", b"another-key"]


@pytest.mark.parametrize("middleware", [False, True])
def test_opting_out_stops_new_events_and_not_those_logged(
    make_client, event, collector, middleware
):
    """
    Whichever lane they take; middleware does not see them either.
    """
    client = make_client(upload_interval_in_sec=60)
    seen = []
    if middleware:
        client.add_event_middleware(
            lambda payload, next: (
                seen.append(payload.event["event_id"]),
                next(payload),
            )
        )
    before = client.log_event(event(1))
    client.opt_out = True
    after = client.log_event(event(2))
    identified = client.identify("somebody", None, ringamp.Identify())
    client.flush()

    assert before.result(30).status is Status.SUCCESS
    assert after.status is identified.status is Status.SKIPPED
    assert client.stats().skipped == 2
    assert seen == ([1] if middleware else [])
    assert len(collector.ledger.events()) == 1


def test_init_decides_about_opting_out_anew(make_client, event, collector):
    """
    What was set on the client belongs to the options it replaces.
    """
    client = make_client()
    client.opt_out = True
    client.init("another-key", server_url=collector.url)

    assert client.opt_out is False
    assert client.log_event(event()).result(30).status is Status.SUCCESS


def test_options_cannot_be_changed(make_client):
    """
    They are one value from `init` to the next; the Node SDK's method gives
    the same.
    """
    client = make_client(min_id_length=3)

    with pytest.raises(AttributeError):
        client.options.min_id_length = 9
    assert client.getOptions() is client.options
    assert client.options.min_id_length == 3


def test_a_retry_that_hangs_holds_up_no_other_instance(
    instances, collector, event
):
    """
    Each has a thread of its own.
    """
    hang = threading.Event()

    class Hangs:
        def send_events_with_retry(self, events):
            hang.wait(30)
            return Response(Status.SUCCESS, 200)

    stuck, free = instances(), instances()
    stuck.init("a-key", retry_class=Hangs())
    free.init("a-key", server_url=collector.url)
    collector.faults.add(Fault(delay=0.01))
    waiting = stuck.log_event(event())

    assert free.log_event(event()).result(30).status is Status.SUCCESS
    assert waiting.response is None
    hang.set()
    assert waiting.result(30).status is Status.SUCCESS


def test_init_again_drains_and_replaces(make_client, event, collector):
    """
    What the old options logged is sent; the new ones begin with no counts.
    """
    client = make_client(upload_interval_in_sec=60)
    old = client.log_event(event(1))

    client.init("another-key", server_url=collector.url, min_id_length=3)
    client.log_event(event(2, user_id="abc")).result(30)

    assert old.result(0).status is Status.SUCCESS
    assert client.options.min_id_length == 3
    assert client.stats().logged == 1
    assert collector.ledger.summary().accepted == 2


def test_init_in_a_callback_replaces_the_client(make_client, event, collector):
    """
    *on_delivery* runs on the thread that `init` would wait for.
    """
    told = []

    def renew(events, response):
        told.append(len(events))
        client.init("another-key", server_url=collector.url)

    client = make_client(on_delivery=renew)
    client.log_event(event(1)).result(30)
    client.log_event(event(2)).result(30)

    assert told[0] == 1
    assert collector.ledger.summary().accepted == 2


def test_opting_out_has_both_spellings(make_client, event):
    """
    `client.optOut` is `client.opt_out`, and the options show what is in
    force.
    """
    client = make_client()
    client.optOut = True

    assert client.opt_out
    assert client.options.opt_out
    assert client.log_event(event()).status is Status.SKIPPED
    client.opt_out = False
    assert not client.getOptions().opt_out
    assert client.log_event(event()).status is Status.QUEUED


@pytest.mark.parametrize("name", ["optout", "opt_Out", "minIdLength", "plan"])
def test_no_attribute_comes_of_a_misspelling(make_client, name):
    """
    Setting what a client has not is an error, and not silence.
    """
    with pytest.raises(AttributeError):
        setattr(make_client(), name, True)
