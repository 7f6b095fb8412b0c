# SPDX-License-Identifier: MIT
"""
What the documents point to is there: files, headings, options, counters.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ringamp
from ringamp.option_rules import RULES

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))
)
DEPLOYMENT = (ROOT / "docs" / "deployment.md").read_text("utf-8")
KINDS_OF_STATS = set(ringamp.Stats.__struct_fields__)


def anchors(text):
    """
    Name the headings as links do.
    """
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    }


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    """
    Every link that is not to another site leads to a file of this tree, and
    to a heading that is in it.
    """
    path = ROOT / document
    text = path.read_text("utf-8")

    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("https://", "http://")):
            continue
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), link


@pytest.mark.parametrize("document", DOCUMENTS)
def test_examples_are_python(document):
    """
    Every block of Python compiles.
    """
    text = (ROOT / document).read_text("utf-8")
    blocks = re.findall(
        r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL
    )

    for block in blocks:
        compile(block, document, "exec")


def test_alarms_are_on_counters():
    """
    What the table of alarms names is a counter or an option.
    """
    table = DEPLOYMENT[DEPLOYMENT.index("| alarm on |") :]
    cells = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)[1:]
    named = {
        word
        for cell in cells
        for text in re.findall("`([^`]+)`", cell)
        for word in re.findall(r"\w+", text)
    }
    known = KINDS_OF_STATS | set(RULES) | {"RuntimeWarning", "init"}

    assert len(cells) > 8
    assert named <= known
    assert {"dropped", "recovered_dropped", "adopted"} <= named


def test_environments_of_tox_are_there():
    """
    What the guide for contributors names is in tox.ini, and what takes long
    there is in the guide.
    """
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    tox = (ROOT / "tox.ini").read_text("utf-8")
    named = set(re.findall(r"tox -e ([\w.]+)", guide))
    there = set(re.findall(r"^\[testenv:(\w+)\]", tox, re.MULTILINE))

    assert {name for name in named if not name.startswith("py")} <= there
    assert there - named <= {"wheel"}
