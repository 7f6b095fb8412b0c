# SPDX-License-Identifier: MIT
"""
What callgrind counted: its files read, two of them compared, and the limit.

The encoder is not ours, and it chooses its instructions by the processor. So
what is compared is all that an event costs, less what runs inside of calls
of the encoder. What is left depends on the interpreter's build and the
compiler's, and only on them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

ENCODER = "orjson."
"""How the encoder's file begins."""

LIMIT = 1.05
"""More than this, and the gate is shut."""

NOTABLE = 5.0
"""Instructions an event from which on a function is kept by name."""

_COST = re.compile(r"[+\-*\d]")
_VARIANT = re.compile(r"('\d+|\.(constprop|part|isra|cold)\.?\d*)+$")


class Count(msgspec.Struct, frozen=True):
    """
    What one event costs on one road.

    Attributes:
        instructions: Outside the encoder.

        encoder: Inside of it; for information.

        functions: Those of each function, outside and in.

        bytecodes: Those of each function written in Python.
    """

    instructions: float
    encoder: float
    functions: dict[str, float]
    bytecodes: dict[str, float]


class Record(msgspec.Struct, frozen=True):
    """
    All counts of one day.

    Attributes:
        needs: What must be the same for the counts to be.

        versions: What else they were counted with.

        roads: A count each.
    """

    needs: dict[str, str]
    versions: dict[str, str]
    roads: dict[str, Count]


class Tally:
    """
    One file of callgrind's.

    Args:
        path: Written with neither names nor positions compressed, and
            without lines.
    """

    def __init__(self, path: Path) -> None:
        self.functions: Counter[str] = Counter()
        self.encoder = 0
        library = called = ""
        function = ""
        is_call = False
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                key, _, value = line.rstrip().partition("=")
                if key == "ob":
                    library = called = _file_name(value)
                elif key == "cob":
                    called = _file_name(value)
                elif key == "fn":
                    function = f"{library}:{_VARIANT.sub('', value)}"
                elif key == "calls":
                    is_call = True
                elif value or not _COST.match(key):
                    continue
                elif is_call:
                    if _is_encoder(called) and not _is_encoder(library):
                        self.encoder += int(key.split()[1])
                    called, is_call = library, False
                else:
                    self.functions[function] += int(key.split()[1])

    @property
    def total(self) -> int:
        """
        All instructions.
        """
        return sum(self.functions.values())


def count_between(
    fewer: Tally, more: Tally, events: int, bytecodes: Mapping[str, float]
) -> Count:
    """
    What one event costs, of counts that differ by *events*.
    """
    encoder = (more.encoder - fewer.encoder) / events
    per_event = {
        name: (more.functions[name] - fewer.functions[name]) / events
        for name in more.functions
    }
    return Count(
        round((more.total - fewer.total) / events - encoder, 1),
        round(encoder, 1),
        _ordered(
            {
                name: value
                for name, value in per_event.items()
                if not _is_encoder(name)
            },
            NOTABLE,
        ),
        _ordered(bytecodes, 0.5),
    )


def growth(recorded: Record, counted: Record) -> list[str]:
    """
    Say what has grown beyond the limit, and which functions with it.

    Returns:
        A sentence for each road that has; nothing where none has.
    """
    sentences = []
    for name, now in counted.roads.items():
        before = recorded.roads.get(name)
        if before is None:
            sentences.append(f"{name}: not in the record")
        elif now.instructions > before.instructions * LIMIT:
            sentences.append(
                f"{name}: {now.instructions:,.0f} instructions an event, "
                f"{before.instructions:,.0f} in the record "
                f"({now.instructions / before.instructions - 1:+.1%}); grown: "
                + "; ".join(_grown(before, now))
            )
    return sentences


def mismatch(recorded: Record, counted: Record) -> list[str]:
    """
    Say which of what the counts depend on is another one now.
    """
    return [
        f"{name}: {counted.needs.get(name)}, recorded with {needed}"
        for name, needed in recorded.needs.items()
        if counted.needs.get(name) != needed
    ]


def _grown(before: Count, now: Count) -> Iterable[str]:
    """
    The functions that grew most, instructions and bytecodes.
    """
    for old, new, unit in (
        (before.functions, now.functions, "instructions"),
        (before.bytecodes, now.bytecodes, "bytecodes"),
    ):
        more = {name: new[name] - old.get(name, 0) for name in new}
        for name in list(_ordered(more, 0.5))[:5]:
            yield f"{name} {more[name]:+,.0f} {unit}"


def _ordered(counts: Mapping[str, float], least: float) -> dict[str, float]:
    """
    Those of *least* and more, the largest first.
    """
    pairs = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return {name: round(value, 1) for name, value in pairs if value >= least}


def _file_name(path: str) -> str:
    """
    The name of a library, without the platform it was built for.
    """
    return re.sub(r"\.(cpython-\d+-\S+|abi3)\.so$", ".so", Path(path).name)


def _is_encoder(library: str) -> bool:
    return library.startswith(ENCODER)
