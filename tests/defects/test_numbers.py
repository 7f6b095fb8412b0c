# SPDX-License-Identifier: MIT
"""
The list of known defects, complete: each number has a test that is named
after it somewhere, or a row in one of these tables.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]

NUMBERS = [
    *(f"l{number}" for number in range(1, 17)),
    *(f"p{number}" for number in range(1, 21)),
    *(f"t{number}" for number in range(1, 17)),
]
"""L: legacy Node SDK. P: Python SDK. T: TypeScript SDK for Node."""

ELSEWHERE = {
    "l6": {  # The fix of L4 and L5, never merged there.
        "defects/test_node_defects.py": [
            "test_l4_a_clean_drain_leaves_every_count_at_zero",
            "test_l5_the_last_retry_is_the_last",
        ],
    },
    "p12": {  # Buffered events, a flusher at work, a warm pool, an idle one.
        "process/test_fork.py": [
            "test_scenario_7_a_child_never_sends_what_its_parent_logged",
            "test_a_fork_while_the_flusher_waits_for_an_answer",
            "test_a_fork_while_threads_are_inside_urllib3",
        ],
        "process/test_preload.py": [
            "test_scenario_13_a_silent_master_has_no_thread_and_no_warning",
        ],
    },
    "p13": {
        "process/test_exit.py": [
            "test_the_end_of_a_process_sends_what_is_left",
            "test_exit_waits_no_longer_than_it_may",
            "test_scenario_18_os_exit_loses_what_is_in_memory",
        ],
    },
}
"""Numbers whose tests are named after what they need: real processes."""

COMPLAINTS = {
    1: "process/test_exit.py::test_exit_waits_no_longer_than_it_may",
    2: "process/test_exit.py::test_the_end_of_a_process_sends_what_is_left",
    3: "test_a_flush_at_the_end_of_a_request_is_enough",
    4: "test_p6_what_middleware_adds_spoils_one_event_at_most",
    5: "events/test_encoding.py::test_p15_one_bad_value_is_told",
    6: "test_two_instances_send_to_their_own_projects",
    7: "test_l2_a_burst_is_cut_into_requests_the_service_takes",
    8: "test_t1_no_answer_at_all_is_retried",
    9: "test_set_group_says_what_the_service_expects",
    10: "test_events_that_go_well_write_no_line",
    11: "test_t2_a_flush_retries",
    12: "test_a_flush_waits_for_throttled_events",
    13: "test_t3_a_second_flush_waits_for_its_own_events",
    14: "test_t16_a_stalled_answer_ends_in_time",
    15: "test_the_error_behind_a_failure_is_told",
    16: "test_l1_an_outage_longer_than_the_first_retry_loses_nothing",
    17: "test_l11_a_null_id_is_no_id",
    18: "test_an_awaited_event_has_its_result",
    19: "test_l5_the_last_retry_is_the_last",
    20: "test_a_flush_at_the_end_of_a_request_is_enough",
    21: "test_an_awaited_event_has_its_result",
    22: "test_p19_memory_is_bounded_while_the_service_is_away",
    23: "test_l1_an_outage_longer_than_the_first_retry_loses_nothing",
    24: "test_l16_a_network_that_returns_is_noticed_without_new_events",
    25: "test_one_users_events_keep_their_order",
    26: "test_gzip_is_given_up_where_a_proxy_cannot_read_it",
}
"""
What users report elsewhere, and where it is held here; a bare name is in this
folder.
"""


def functions(path):
    """
    List the test functions of a file.
    """
    tree = ast.parse(path.read_text("utf-8"))
    return {
        node.name: ast.get_docstring(node)
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def all_functions():
    """
    Map "folder/file.py::name" to its docstring, for every test.
    """
    return {
        f"{path.relative_to(TESTS)}::{name}": text
        for path in sorted(TESTS.rglob("test_*.py"))
        for name, text in functions(path).items()
    }


def numbers_in(name):
    """
    Read the numbers that a test's name begins with: test_l1_t2_... has two.
    """
    prefix = re.match(r"(?:[lpt][0-9]+_)*", name.removeprefix("test_"))
    return re.findall(r"[lpt][0-9]+", prefix[0])


FUNCTIONS = all_functions()

NAMED = {
    number: where
    for where in FUNCTIONS
    for number in numbers_in(where.rpartition("::")[2])
}


@pytest.mark.parametrize("number", NUMBERS)
def test_every_number_has_its_test(number):
    """
    A number is told in one way: by name or by table.
    """
    ways = [number in table for table in (NAMED, ELSEWHERE)]

    assert ways.count(True) == 1


def test_no_test_has_a_number_that_is_not_listed():
    """
    A number in a test's name is one of the list's.
    """
    assert NAMED.keys() - set(NUMBERS) == set()


@pytest.mark.parametrize("number", ELSEWHERE)
def test_the_tests_named_elsewhere_exist(number):
    """
    Each test that a table names is there.
    """
    named = {
        f"{file}::{name}"
        for file, names in ELSEWHERE[number].items()
        for name in names
    }

    assert named - FUNCTIONS.keys() == set()


@pytest.mark.parametrize("number", COMPLAINTS)
def test_every_complaint_has_its_test(number):
    """
    What users report elsewhere is held by a test that exists.
    """
    name = COMPLAINTS[number]

    assert any(
        where == name
        or (where.startswith("defects/") and where.endswith(f"::{name}"))
        for where in FUNCTIONS
    )


def test_a_defect_is_described_where_it_is_tested():
    """
    In this folder a numbered test says what holds here, in a sentence.
    """
    bare = [
        where
        for where, text in FUNCTIONS.items()
        if where.startswith("defects/") and not (text or "").strip()
    ]

    assert bare == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("test_l1_an_outage", ["l1"]),
        ("test_l1_t1_t2_failures", ["l1", "t1", "t2"]),
        ("test_a_lane_p8", []),
    ],
)
def test_numbers_are_read_from_the_front_of_a_name(name, found):
    """
    Only what a name begins with counts.
    """
    assert numbers_in(name) == found
