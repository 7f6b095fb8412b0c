# SPDX-License-Identifier: MIT
"""
Deliveries of what other processes pushed: `ForeignDelivery`.

A record of another process's ring may be no event: whoever may write the file
can compute checksums, and a living ring has none that are looked at. In a
request it would spoil its neighbours (one that is two values shifts the
indexes by which the service names events; one that ends the array ends the
events) and in a backlog file all of them. So it is refused here, with the
same end as what the service refuses.
"""

from __future__ import annotations

from ringamp.buffer.batch import Batch
from ringamp.flusher.delivery import Delivery
from ringamp.retry.decision import Reject
from ringamp.status import Response, Status

NO_EVENT = Response(Status.INVALID, error="is no event in JSON")
"""What is told of records that hold something else."""


class ForeignDelivery(Delivery):
    """
    A delivery that looks at what it takes; else as `Delivery`.
    """

    def _fill(self, max_count: int, max_bytes: int) -> Batch | None:
        while True:
            batch = super()._fill(max_count, max_bytes)
            if batch is None:
                return None
            others = batch.unsound()
            if not others:
                return batch
            self._refuse(batch, others)
            if len(others) < len(batch):
                strange = set(others)
                return batch.select(
                    index
                    for index in range(len(batch))
                    if index not in strange
                )

    def _refuse(self, batch: Batch, indexes: list[int]) -> None:
        for measure in self._keeper.keep(batch, [Reject(indexes, NO_EVENT)]):
            self._carry_out(batch, measure, NO_EVENT)
