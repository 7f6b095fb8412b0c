# SPDX-License-Identifier: MIT
"""
Batches and what is asked about them.
"""

from __future__ import annotations

import random

import pytest

from ringamp.options import Options
from ringamp.retry.decision import Attempt, Ids


class Batch:
    """
    Builds attempts and policies, and reads decisions.
    """

    @staticmethod
    def attempt(*ids, number=1, url="https://api2.amplitude.com/2/httpapi"):
        """
        Make an attempt of events, each a user id or (user, device).
        """
        who = [
            Ids(*one) if type(one) is tuple else Ids(one, None) for one in ids
        ]
        return Attempt(len(who), number, lambda: who, url)

    @staticmethod
    def policy(kind, **options):
        """
        Make a seeded policy.
        """
        return kind(Options.build(**options), random.Random(1))

    @staticmethod
    def read(decisions):
        """
        Spell decisions as (name, indexes).
        """
        return [(type(d).__name__, list(d.indexes)) for d in decisions]


@pytest.fixture
def batch():
    """
    Builds attempts and policies, and reads decisions.
    """
    return Batch
