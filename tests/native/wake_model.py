# SPDX-License-Identifier: MIT
"""
A model of the wake-up: every execution that the memory orders allow.

Two threads, two words. The consumer stores `armed` and then loads `pushed`;
a producer adds to `pushed` and then loads `armed`. A wake-up is lost if both
loads miss the other's store. A processor may let a load overtake an earlier
store to another word, unless both are sequentially consistent: acquire and
release order neither. The strong order is in the add on x86 whatever C says,
so no run there can show that it is needed; this can.

The orders are read out of ring.c, so a weaker one there fails the test.
"""

from __future__ import annotations

import itertools
import re
import sys
from pathlib import Path

import build

SITES = {
    "arm stores armed": r"(store_\w+)\(&region->armed, count\)",
    "arm loads pushed": r"(load_\w+)\(&region->pushed\) < count",
    "commit adds to pushed": r"(add_\w+)\(&region->pushed, 1\)",
    "commit loads armed": r"armed = (load_\w+)\(&region->armed\)",
}
"""Where the four accesses stand in ring.c."""

CONSUMER = (("store", "armed"), ("load", "pushed"))
PRODUCER = (("store", "pushed"), ("load", "armed"))


def orders_of(native: Path) -> dict[str, str]:
    """
    Read the order of each access out of ring.c.
    """
    text = (native / "ring.c").read_text(encoding="utf-8")
    found = {}
    for site, expression in SITES.items():
        matches = re.findall(expression, text)
        if len(matches) != 1:
            raise LookupError(f"{site}: {len(matches)} places in ring.c")
        found[site] = matches[0]
    return found


def executions(operations, is_ordered):
    """
    Give the orders in which one thread's two operations may take effect.
    """
    return [operations] if is_ordered else [operations, operations[::-1]]


def interleavings(first, second):
    """
    Give every merge of two sequences that keeps each one's order.
    """
    length = len(first) + len(second)
    for places in itertools.combinations(range(length), len(first)):
        one, two = iter(first), iter(second)
        yield [
            ("consumer", next(one)) if at in places else ("other", next(two))
            for at in range(length)
        ]


def loses_a_wake_up(*, consumer_ordered, producer_ordered):
    """
    Say whether in some execution the consumer sleeps and nobody wakes it.
    """
    for consumer, producer in itertools.product(
        executions(CONSUMER, consumer_ordered),
        executions(PRODUCER, producer_ordered),
    ):
        for run in interleavings(consumer, producer):
            memory = {"armed": 0, "pushed": 0}
            seen = {}
            for who, (kind, word) in run:
                if kind == "store":
                    memory[word] = 1
                else:
                    seen[who] = memory[word]
            if seen == {"consumer": 0, "other": 0}:
                return True
    return False


def is_safe(native: Path) -> bool:
    """
    Say whether ring.c's orders lose no wake-up.
    """
    orders = orders_of(native)
    strong = {site: name.endswith("_seq_cst") for site, name in orders.items()}
    return not loses_a_wake_up(
        consumer_ordered=strong["arm stores armed"]
        and strong["arm loads pushed"],
        producer_ordered=strong["commit adds to pushed"]
        and strong["commit loads armed"],
    )


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else build.NATIVE
    sys.exit(0 if is_safe(where) else 1)
