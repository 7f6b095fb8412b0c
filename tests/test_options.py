# SPDX-License-Identifier: MIT
"""
Tests of the options: names, defaults, and what follows from several.
"""

from __future__ import annotations

import os

import pytest

from ringamp.errors import OptionsError
from ringamp.events.plan import Plan
from ringamp.options import LogLevel, Options, check_api_key

US = "https://api2.amplitude.com/2/httpapi"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("maxCachedEvent", "maxCachedEvents"),
        ("server_ulr", "server_url"),
        ("minidlength", "minIdLength"),
        ("zzz", "block_timeout, buffer_bytes"),
        (5, "block_timeout, buffer_bytes"),
    ],
)
def test_unknown_names(name, near):
    """
    A name that is no option is answered with the nearest ones.
    """
    with pytest.raises(OptionsError, match="no such option") as caught:
        Options.build({name: 1})

    assert near in str(caught.value)


@pytest.mark.parametrize(
    ("given", "keywords"),
    [
        ({"minIdLength": 1, "min_id_length": 1}, {}),
        ({"minIdLength": 1}, {"min_id_length": 1}),
        ({"min_id_length": 1}, {"min_id_length": 1}),
        ({"minIdLength": None}, {"min_id_length": 1}),
    ],
)
def test_given_twice(given, keywords):
    """
    Two values for one option are refused, whatever the spelling.
    """
    with pytest.raises(OptionsError, match="option min_id_length: given tw"):
        Options.build(given, **keywords)


@pytest.mark.parametrize("given", ["KEY", [("debug", True)], 5])
def test_no_mapping(given):
    """
    What is no mapping is refused without being shown: it may be the key.
    """
    with pytest.raises(OptionsError, match="allowed is a mapping") as caught:
        Options.build(given)

    assert "KEY" not in str(caught.value)


def test_defaults():
    """
    Without options everything is as the table of the documentation says.
    """
    options = Options.build()

    assert options == Options.build({}) == Options()
    assert options.url == US
    assert options.max_cached_events == 16000
    assert options.retry_timeouts == (
        *(100, 100, 200, 200, 400, 400),
        *(800, 800, 1600, 1600, 3200, 3200),
    )
    assert options.retry_delays[:3] == (0.1, 0.1, 0.2)
    assert options.request_timeout == 10.0
    assert options.shutdown_timeout == 5.0
    assert options.buffer_bytes == 32 * 1024 * 1024
    assert options.min_id_length == 5
    assert options.max_events == 2000


@pytest.mark.parametrize(
    ("given", "url", "is_batch"),
    [
        ({"use_batch": True}, "https://api2.amplitude.com/batch", True),
        (
            {"server_zone": "EU"},
            "https://api.eu.amplitude.com/2/httpapi",
            False,
        ),
        (
            {"server_zone": "EU", "use_batch": True},
            "https://api.eu.amplitude.com/batch",
            True,
        ),
        ({"server_url": "http://p/x", "use_batch": True}, "http://p/x", False),
        (
            {"server_url": "http://p/x/batch/?a=b"},
            "http://p/x/batch/?a=b",
            True,
        ),
        ({"server_url": "http://p/?a=/batch"}, "http://p/?a=/batch", False),
    ],
)
def test_url(given, url, is_batch):
    """
    L15: *server_url* wins and keeps its query; its path alone decides which
    limit of bytes applies.
    """
    options = Options.build(given)

    assert options.url == url
    assert options.is_batch is is_batch
    assert options.max_bytes == (19_800_000 if is_batch else 990_000)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:hush@host/path",
        "https://hush@host/path",
        "user:hush@host/path",
        "ftp://host/?token=hush",
        "ftp://host/#hush",
    ],
)
def test_secrets_of_a_url_are_not_shown(url):
    """
    A refused URL is shown without its user, password, query and fragment.
    """
    with pytest.raises(OptionsError, match="server_url") as caught:
        Options.build(server_url=url)

    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "level"),
    [
        ({"debug": True}, LogLevel.WARN),
        ({"debug": True, "log_level": 3}, LogLevel.VERBOSE),
        ({"debug": True, "log_level": 0}, LogLevel.NONE),
        ({"debug": True, "log_level": None}, LogLevel.WARN),
        ({}, LogLevel.NONE),
    ],
)
def test_debug_sets_a_level(given, level):
    """
    *debug* means WARN, unless a level is given.
    """
    assert Options.build(given).log_level is level


def test_max_retries():
    """
    The deprecated option becomes timeouts, with a warning.
    """
    with pytest.warns(DeprecationWarning, match="max_retries"):
        options = Options.build(maxRetries=4)

    assert options.retry_timeouts == (100, 200, 400, 800)


def test_max_retries_beside_timeouts():
    """
    Two options that say the same are refused.
    """
    with pytest.raises(OptionsError, match="beside retry_timeouts"):
        Options.build(max_retries=1, retry_timeouts=[1])


def test_p1_no_retries():
    """
    P1: no retries is a proper choice, and means one attempt.
    """
    with pytest.warns(DeprecationWarning, match="max_retries"):
        assert Options.build(max_retries=0).retry_delays == ()
    assert Options.build(retry_timeouts=[]).retry_delays == ()


def test_p18_frozen():
    """
    P18: options that two instances share cannot be changed by one of them.
    """
    options = Options.build()

    with pytest.raises(AttributeError):
        options.opt_out = True


def test_later_changes_do_not_reach_the_options():
    """
    The options are made of copies of what was given.
    """
    timeouts, plan = [100], {"branch": "b"}
    options = Options.build(retry_timeouts=timeouts, plan=plan)
    timeouts.append(200)
    plan["branch"] = "c"

    assert options.retry_timeouts == (100,)
    assert options.plan == Plan(branch="b")


@pytest.mark.parametrize(
    ("runtime", "path"),
    [
        ("/run/user/7", "/run/user/7/ringamp"),
        (None, "/dev/shm/ringamp-{user}"),
        ("", "/dev/shm/ringamp-{user}"),
        ("run/user/7", "/dev/shm/ringamp-{user}"),
    ],
)
def test_where_auto_is(monkeypatch, runtime, path):
    """
    "auto" is a directory of ours in XDG_RUNTIME_DIR, which is absolute where
    it counts; else one in /dev/shm that no other user has.
    """
    if runtime is None:
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    else:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    options = Options.build(spool_dir="auto")

    assert options.spool_dir == "auto"
    assert options.spool_path == path.format(user=os.geteuid())


def test_a_path_is_fixed_when_it_is_given(monkeypatch, tmp_path):
    """
    A relative path means a directory below that of the moment, whatever the
    process changes to later; and auto is no path of that name.
    """
    monkeypatch.chdir(tmp_path)
    options = Options.build(spool_dir="spool")
    named = Options.build(spool_dir="./auto")
    monkeypatch.chdir("/")

    assert options.spool_path == str(tmp_path / "spool")
    assert named.spool_path == str(tmp_path / "auto")
    assert Options.build().spool_path is None


def test_a_directory_that_is_gone(monkeypatch, tmp_path):
    """
    Where the working directory was removed an absolute path will do, and a
    relative one is refused as an option.
    """
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    assert Options.build(spool_dir="/a/b").spool_path == "/a/b"
    with pytest.raises(OptionsError, match="option spool_dir: 'b' given"):
        Options.build(spool_dir="b")


def test_a_relay_needs_a_spool():
    """
    Who leaves the sending to a relay must say where it finds the events.
    """
    for given in ({}, {"spool_dir": None}):
        with pytest.raises(OptionsError, match="without spool_dir; allowed"):
            Options.build(delivery="relay", **given)

    assert Options.build(delivery="relay", spool_dir="/a").spool_dir == "/a"


def test_repr_is_short():
    """
    The repr shows what differs from the defaults.
    """
    assert repr(Options.build(min_id_length=1)) == "Options(min_id_length=1)"


def test_levels_are_those_of_node():
    """
    The numbers agree with the Node SDK's.
    """
    assert [level.name for level in LogLevel] == [
        "NONE",
        "ERROR",
        "WARN",
        "VERBOSE",
    ]
    assert list(LogLevel) == [0, 1, 2, 3]


def test_good_key():
    """
    A key is taken as it is.
    """
    assert check_api_key("a1b2-C3_é") == "a1b2-C3_é"
    assert check_api_key("YOUR API KEY") == "YOUR API KEY"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", "an empty string given"),
        (None, "NoneType given"),
        (b"hush", "bytes given"),
        (5, "int given"),
        ("  ", "an empty string given"),
        ("hush\n", "another control character given"),
        ("hush\u00a0", "another control character given"),
        ("hush\x00", "another control character given"),
        ("hush\ud800", "another control character given"),
    ],
)
def test_bad_keys(key, words):
    """
    What cannot be a key is refused, and never shown.
    """
    with pytest.raises(OptionsError, match="allowed is a string") as caught:
        check_api_key(key)

    assert words in str(caught.value)
    assert "hush" not in str(caught.value)
