# SPDX-License-Identifier: MIT
"""
The batches that are being sent: one, or one a track where there are several
uploads.
"""

from __future__ import annotations

from ringamp.buffer.batch import Batch


class Hands(dict[int | None, Batch]):
    """
    The batch that is under way on each track; under None one of any ids.
    """

    def let_go(self, batch: Batch) -> bool:
        """
        Take *batch* out of its hand. Whoever closes at a deadline may take it
        at the same moment: then one of the two has it, and tells its end.
        """
        if self.get(batch.track) is not batch:
            return False
        return self.pop(batch.track, None) is not None
