# SPDX-License-Identifier: MIT
"""
The public surface: what `ringamp` exports, and what importing it costs.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import ringamp

PUBLIC = {
    "instances": ["Client", "get_instance", "getInstance", "init"],
    "processes": ["postfork", "shutdown_all"],
    "options": ["LogLevel", "Options"],
    "events": ["Event", "Identify", "IngestionMetadata", "Plan", "Revenue"],
    "outcomes": ["Receipt", "Response", "Stats", "Status"],
    "middleware": ["Middleware", "MiddlewareNext", "MiddlewarePayload"],
    "transports": ["HTTPTransport", "MemoryTransport", "Payload", "Transport"],
    "retry seam": ["BaseRetry", "Retry"],
    "retries": ["NoRetry", "OfflineRetry", "OrderedRetry"],
    "error base": ["RingampError"],
    "errors": ["InvalidEventError", "NativeError", "OptionsError"],
}
"""Every name, by what it is for. A new one is new here and in the docs."""

EXTRAS = ["starlette", "uvicorn", "typer", "rich", "httptools", "anyio"]
"""What the extras bring; a server that only logs events has none of it."""

DEPENDENCIES = {"orjson", "msgspec", "urllib3", "cffi", "_cffi_backend"}
"""All that is needed at run time."""

OPTIONAL = {
    *("brotli", "brotlicffi", "zstandard", "h2", "typing_extensions"),
    # Where a distributor has parted the standard library.
    "_missing_stdlib_info",
}
"""What the dependencies load by themselves where it is installed."""

API = Path(__file__).parent / "typing" / "api.py"

LOAD = """
import json, sys
known = set(sys.modules)
import ringamp
ringamp.init("0" * 32)
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules}
                        - {name.split(".")[0] for name in known})))
"""


def loaded_by_ringamp():
    """
    Import ringamp in a new process and initialise it; return the packages
    that came with it.
    """
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(json.loads(done.stdout))


def test_all_is_the_documented_list():
    """
    `__all__` holds the public names, each once, and nothing else.
    """
    documented = [name for names in PUBLIC.values() for name in names]

    assert sorted(ringamp.__all__) == sorted(documented)


def test_everything_in_all_exists():
    """
    Every name of `__all__` is there, and so is the version.
    """
    for name in ringamp.__all__:
        assert getattr(ringamp, name) is not None
    assert ringamp.__version__[0].isdigit()


def test_no_public_name_is_missing_from_all():
    """
    What `ringamp/__init__.py` imports from the package and does not
    underline is exported; that includes what it imports later.
    """
    tree = ast.parse(Path(ringamp.__file__).read_text("utf-8"))
    later = [one for one in tree.body if isinstance(one, ast.If)]
    imported = {
        alias.asname or alias.name
        for node in [*tree.body, *(line for one in later for line in one.body)]
        if isinstance(node, ast.ImportFrom)
        and node.module.startswith("ringamp")
        for alias in node.names
    }

    assert {name for name in imported if not name.startswith("_")} == set(
        ringamp.__all__
    )


def test_importing_ringamp_loads_no_extra():
    """
    Neither the collector's nor the command line's packages are loaded.
    """
    assert loaded_by_ringamp().isdisjoint(EXTRAS)


def test_importing_ringamp_loads_its_four_dependencies_alone():
    """
    Beside the standard library only the declared dependencies are loaded.
    """
    foreign = loaded_by_ringamp() - set(sys.stdlib_module_names)

    assert foreign - DEPENDENCIES - OPTIONAL == {"ringamp"}


def test_every_public_name_is_type_checked():
    """
    The file that mypy reads uses each name of `__all__` and each public
    attribute of `Client`.
    """
    used = {
        node.attr
        for node in ast.walk(ast.parse(API.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
    }
    methods = {
        name for name in dir(ringamp.Client) if not name.startswith("_")
    }

    assert set(ringamp.__all__) - used == set()
    assert methods - used == set()
