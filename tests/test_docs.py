# SPDX-License-Identifier: MIT
"""
What the documents point to is there: files, headings, options, counters.
"""

from __future__ import annotations

import re
from collections import Counter

import pytest
from documents import ROOT, TEXTS, anchors, python_blocks, rows, without_code

import ringamp
from ringamp.option_rules import RULES

DEPLOYMENT = TEXTS["docs/deployment.md"]
KINDS_OF_STATS = set(ringamp.Stats.__struct_fields__)


@pytest.mark.parametrize("document", TEXTS)
def test_links_lead_somewhere(document):
    """
    Every link that is not to another site leads to a file of this tree, and
    to a heading that is in it.
    """
    path = ROOT / document

    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(TEXTS[document])):
        if link.startswith(("https://", "http://")):
            continue
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), link


def test_headings_of_a_document_differ():
    """
    So an anchor leads to one place.
    """
    for document, text in TEXTS.items():
        if document == "CHANGELOG.md":
            continue  # Each version has the same headings.
        headings = re.findall(r"^#+ .+$", without_code(text), re.MULTILINE)
        assert len(headings) == len(anchors(text)), document


@pytest.mark.parametrize("document", TEXTS)
def test_examples_are_python(document):
    """
    Every block of Python compiles.
    """
    for block in python_blocks(TEXTS[document]):
        compile(block, document, "exec")


def test_no_table_stands_twice():
    """
    No row of a table is repeated, in its document or in another one: what is
    told twice is soon told differently.
    """
    told = Counter(
        tuple(cells)
        for text in TEXTS.values()
        for cells in rows(without_code(text))
    )

    assert len(told) > 200
    assert [cells for cells, times in told.items() if times > 1] == []


def test_no_paragraph_stands_twice():
    """
    Neither is a long sentence.
    """
    told = Counter(
        sentence
        for text in TEXTS.values()
        for paragraph in re.split(r"\n\s*\n", without_code(text))
        if not paragraph.startswith("|")
        for sentence in re.split(r"(?<=[.:;]) ", " ".join(paragraph.split()))
        if len(sentence) > 60
    )

    assert len(told) > 200
    assert [words for words, times in told.items() if times > 1] == []


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
    guide = TEXTS["CONTRIBUTING.md"]
    tox = (ROOT / "tox.ini").read_text("utf-8")
    named = set(re.findall(r"tox -e ([\w.]+)", guide))
    there = set(re.findall(r"^\[testenv:(\w+)\]", tox, re.MULTILINE))

    assert {name for name in named if not name.startswith("py")} <= there
    assert there - named <= {"wheel"}
