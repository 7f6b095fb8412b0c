# SPDX-License-Identifier: MIT
"""
The camelCase twins for those who come from the Node SDK.
"""

from __future__ import annotations

import inspect
import re

import pytest

import ringamp
from ringamp import registry
from ringamp.events.identify import Identify

TWINS = {
    (ringamp, "getInstance", "get_instance"),
    (registry, "getInstance", "get_instance"),
    (ringamp.Client, "logEvent", "log_event"),
    (ringamp.Client, "addEventMiddleware", "add_event_middleware"),
    (ringamp.Client, "getOptions", "get_options"),
    (ringamp.Client, "optOut", "opt_out"),
    (ringamp.Client, "removeEventMiddleware", "remove_event_middleware"),
    (ringamp.Client, "groupIdentify", "group_identify"),
    (ringamp.Client, "setGroup", "set_group"),
    (Identify, "setOnce", "set_once"),
    (Identify, "preInsert", "pre_insert"),
    (Identify, "postInsert", "post_insert"),
    (Identify, "clearAll", "clear_all"),
    (ringamp.Revenue, "isValid", "is_valid"),
}
"""Where, the Node name, and the name it stands for."""


def snake(name):
    """
    Spell a camelCase name as Python does.
    """
    return re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower()


def camel(name):
    """
    Say whether *name* is a public camelCase one.
    """
    return re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", name) is not None


@pytest.mark.parametrize(
    ("owner", "node_name", "name"),
    [
        pytest.param(*twin, id=f"{twin[0].__name__}.{twin[1]}")
        for twin in sorted(TWINS, key=str)
    ],
)
def test_a_twin_is_the_same_function(owner, node_name, name):
    """
    Both names are one function, so that neither can lag behind the other.
    """
    twin = inspect.getattr_static(owner, node_name)

    assert twin is inspect.getattr_static(owner, name)
    assert name == snake(node_name)


@pytest.mark.parametrize(
    "owner", [ringamp, *(getattr(ringamp, name) for name in ringamp.__all__)]
)
def test_every_camel_case_name_is_a_listed_twin(owner):
    """
    No public class has a camelCase name beside those listed, and each of
    those has its twin.
    """
    found = {name for name in dir(owner) if camel(name)}
    listed = {
        node_name
        for place, node_name, _ in TWINS
        if place is owner or place in getattr(owner, "__mro__", ())
    }

    assert found == listed
