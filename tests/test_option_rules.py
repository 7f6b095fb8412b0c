# SPDX-License-Identifier: MIT
"""
Tests of the option rules: for each, what it takes and what it refuses.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from ringamp.errors import OptionsError
from ringamp.events.plan import IngestionMetadata, Plan
from ringamp.option_rules import MAY_BE_NONE, RULES
from ringamp.options import LogLevel, Options


class Sender:
    """
    A transport, and a retry in the Node spelling.
    """

    def send_payload(self, payload):
        """
        Send nothing.
        """

    def sendEventsWithRetry(self, events):
        """
        Send nothing.
        """


class BytesPath:
    """
    A path, but as bytes.
    """

    def __fspath__(self):
        return b"/var/spool"


def call(*_):
    """
    Be callable.
    """


SENDER = Sender()

TAKEN = [
    ("debug", True, True),
    ("strict", True, True),
    ("logLevel", 2, LogLevel.WARN),
    ("log_level", LogLevel.VERBOSE, LogLevel.VERBOSE),
    ("log_level", "error", LogLevel.ERROR),
    ("log_level", None, LogLevel.NONE),
    ("maxCachedEvents", 1, 1),
    ("retryTimeouts", [], ()),
    ("retryTimeouts", (0, 1.5), (0.0, 1.5)),
    ("optOut", True, True),
    ("retryClass", Sender, Sender),
    ("retryClass", SENDER, SENDER),
    ("transportClass", Sender, Sender),
    ("transportClass", SENDER, SENDER),
    ("transport_class", None, None),
    (
        "serverUrl",
        "http://127.0.0.1:8080/a?b=c",
        "http://127.0.0.1:8080/a?b=c",
    ),
    ("server_url", None, None),
    ("serverZone", "EU", "EU"),
    ("useBatch", True, True),
    ("uploadIntervalInSec", 0.5, 0.5),
    ("minIdLength", 0, 0),
    ("minIdLength", None, 5),
    ("requestTimeoutMillis", 1, 1),
    ("onRetry", call, call),
    ("onRetry", None, None),
    (
        "plan",
        {"branch": "b", "versionId": "1"},
        Plan(branch="b", version_id="1"),
    ),
    ("plan", {"version_id": "1"}, Plan(version_id="1")),
    ("plan", Plan(source="s"), Plan(source="s")),
    (
        "ingestionMetadata",
        {"source_name": "n"},
        IngestionMetadata(source_name="n"),
    ),
    ("maxRetries", None, None),
    ("buffer_bytes", 64 * 1024, 2**16),
    ("buffer_bytes", 64 * 1024 + 1, 2**17),
    ("bufferBytes", 2**30, 2**30),
    ("on_full", "block", "block"),
    ("block_timeout", 1.5, 1.5),
    ("block_timeout", None, None),
    ("onDelivery", call, call),
    ("compression", None, None),
    ("compression", "gzip", "gzip"),
    ("concurrent_uploads", 1, 1),
    ("concurrent_uploads", 16, 16),
    ("spool_dir", None, None),
    ("spoolDir", "/var/spool", "/var/spool"),
    ("spool_dir", Path("/var/spool"), "/var/spool"),
    ("spool_dir", "auto", "auto"),
    ("spool_dir", "events", str(Path.cwd() / "events")),
    ("spool_dir", Path("a/../b"), str(Path.cwd() / "a/../b")),
    ("maxSpoolBytes", 2**20, 2**20),
    ("max_spool_bytes", 2**50, 2**50),
    ("delivery", "thread", "thread"),
    ("shutdownTimeoutMillis", 0, 0),
]


def snake(name):
    """
    The name of this library for *name*.
    """
    return "".join("_" + c.lower() if c.isupper() else c for c in name)


@pytest.mark.parametrize(("name", "value", "kept"), TAKEN)
def test_what_is_taken(name, value, kept):
    """
    A good value is kept, in either spelling, from a mapping or as a keyword.
    """
    given = Options.build({name: value})
    by_keyword = Options.build(**{name: value})

    assert getattr(given, snake(name)) == kept
    assert type(getattr(given, snake(name))) is type(kept)
    assert given == by_keyword


def test_every_option_is_tested():
    """
    Each field of the struct has a rule, and each rule a row in both tables.
    """
    assert set(Options.__struct_fields__) == set(RULES)
    assert set(RULES) == {snake(name) for name, _, _ in TAKEN} | {
        "max_retries"
    }
    assert set(RULES) == {name for name, _, _ in REFUSED}
    assert set(RULES) > MAY_BE_NONE


REFUSED = [
    ("debug", 1, "1 given; allowed is True or False"),
    ("debug", None, "None given; allowed is True or False"),
    ("strict", "yes", "'yes' given"),
    ("log_level", 4, "4 given; allowed is a LogLevel"),
    ("log_level", True, "True given"),
    ("log_level", "LOUD", "'LOUD' given"),
    ("max_cached_events", 0, "0 given; allowed is an int from 1"),
    ("max_cached_events", True, "True given"),
    ("max_cached_events", 1.0, "1.0 given"),
    ("max_cached_events", None, "None given"),
    ("retry_timeouts", [-1], "[-1] given; allowed is a list of milliseconds"),
    ("retry_timeouts", [math.nan], "[nan] given"),
    ("retry_timeouts", [math.inf], "[inf] given"),
    ("retry_timeouts", [True], "[True] given"),
    ("retry_timeouts", "100", "'100' given"),
    ("retry_timeouts", 100, "100 given"),
    ("opt_out", 0, "0 given"),
    ("retry_class", object(), "given; allowed is an object or class with"),
    ("retry_class", "OfflineRetry", "'OfflineRetry' given"),
    ("transport_class", object, "given; allowed is an object or class with"),
    ("server_url", "", "'' given; allowed is an http or https URL"),
    ("server_url", "api2.amplitude.com", "given"),
    ("server_url", "ftp://a/b", "'ftp://a/b' given"),
    ("server_url", "http://", "given"),
    ("server_url", "http:///path", "given"),
    ("server_url", "http://a:port/", "given"),
    ("server_url", "http://a:99999/", "given"),
    ("server_url", "http://a/#part", "'http://a/' given"),
    ("server_url", "http://a/#", "given"),
    ("server_url", "http://a/ b", "given"),
    ("server_url", "http://a/\n", "given"),
    ("server_url", "http://é/", "given"),
    ("server_url", "http://[::1/", "given"),
    ("server_url", b"http://a/", "given"),
    ("server_zone", "eu", '\'eu\' given; allowed is "US" or "EU"'),
    ("server_zone", None, "None given"),
    ("use_batch", "true", "'true' given"),
    ("upload_interval_in_sec", -1, "-1 given; allowed is a number of seconds"),
    ("upload_interval_in_sec", math.nan, "nan given"),
    ("upload_interval_in_sec", True, "True given"),
    ("min_id_length", -1, "-1 given; allowed is an int from 0"),
    ("min_id_length", "5", "'5' given"),
    ("request_timeout_millis", 0, "0 given; allowed is a number of millisec"),
    ("request_timeout_millis", math.inf, "inf given"),
    ("on_retry", 5, "5 given; allowed is a callable"),
    ("plan", {"verison": "1"}, "{'verison': '1'} given; allowed is a Plan"),
    ("plan", {"version": 1}, "given"),
    ("plan", Plan(version=1), "given"),
    ("plan", "main", "'main' given"),
    ("ingestion_metadata", {"sourceName": "x"}, "given; allowed is an Ingest"),
    ("max_retries", -1, "-1 given; allowed is an int from 0 to 20"),
    ("max_retries", 21, "21 given"),
    ("max_retries", True, "True given"),
    ("buffer_bytes", 2**16 - 1, "given; allowed is an int from 65536 to 1073"),
    ("buffer_bytes", 2**30 + 1, "given"),
    ("buffer_bytes", 1e6, "1000000.0 given"),
    ("on_full", "raise", '\'raise\' given; allowed is "drop" or "block"'),
    ("block_timeout", -0.1, "-0.1 given; allowed is None or a number"),
    ("on_delivery", "f", "'f' given; allowed is a callable"),
    ("compression", "zstd", "'zstd' given; allowed is None or \"gzip\""),
    ("compression", True, 'True given; allowed is None or "gzip"'),
    ("concurrent_uploads", 0, "0 given; allowed is an int from 1 to 16"),
    ("concurrent_uploads", 17, "17 given; allowed is an int from 1 to 16"),
    ("spool_dir", 5, "5 given; allowed is None, "),
    ("spool_dir", True, "True given"),
    ("spool_dir", "", "'' given; allowed is None, \"auto\" or the path of a"),
    ("spool_dir", "a\0b", "given"),
    ("spool_dir", b"/var/spool", "b'/var/spool' given"),
    ("spool_dir", BytesPath(), "given"),
    ("spool_dir", "/var/\ud800", "given"),
    ("spool_dir", ["/var/spool"], "given"),
    ("max_spool_bytes", 2**20 - 1, "given; allowed is an int from 1048576"),
    ("max_spool_bytes", 2.0**30, "given"),
    ("max_spool_bytes", True, "True given"),
    ("max_spool_bytes", None, "None given"),
    ("delivery", "later", 'given; allowed is "thread" or "relay"'),
    ("delivery", None, "None given"),
    ("shutdown_timeout_millis", -1, "-1 given"),
]


@pytest.mark.parametrize(("name", "value", "words"), REFUSED)
def test_what_is_refused(name, value, words):
    """
    A wrong value is refused by the option's name, what was given and what is
    allowed.
    """
    with pytest.raises(OptionsError) as caught:
        Options.build({name: value})

    assert str(caught.value).startswith(f"option {name}: ")
    assert words in str(caught.value)
    assert "; allowed is " in str(caught.value)
