# SPDX-License-Identifier: MIT
"""
The mutations of dealing a claim out to several uploads.
"""

from __future__ import annotations

from mutation import Mutation


def _deal(name: str, old: str, new: str) -> Mutation:
    return Mutation(name, "deal.c", old, new, "deal")


DEAL = [
    _deal(
        "buckets go anywhere",
        "RA_BUCKET_SHIFT) %\n                tracks;",
        "(RA_BUCKET_SHIFT + 1)) %\n                tracks;",
    ),
    _deal(
        "a share has one too many",
        "share->count == max_count",
        "share->count > max_count",
    ),
    _deal(
        "a share has one too few",
        "share->count == max_count",
        "share->count + 1 == max_count",
    ),
    _deal(
        "bytes are one short",
        "spliced[track] + cost > max_bytes",
        "spliced[track] + cost >= max_bytes",
    ),
    _deal(
        "bytes are not counted",
        "        spliced[track] += cost;\n",
        "",
    ),
    _deal(
        "the first of a share must fit",
        "(share->count > 0 && spliced",
        "(share->count + 1 > 0 && spliced",
    ),
    _deal(
        "the rest is not given back",
        "        ring->claim = at;\n",
        "",
    ),
    _deal(
        "the claim keeps its end",
        "        claim->end = at;\n",
        "",
    ),
    _deal(
        "a pad is dealt",
        "        at = ra_ring_next(ring, at);\n",
        "",
    ),
    _deal(
        "a length is trusted",
        "length == 0 || length > left ||",
        "length == 0 ||",
    ),
]
