"""A weighted sample of a stream, without replacement, of bounded size, in one pass.

Algorithm A-ExpJ of Efraimidis and Spirakis, "Weighted random sampling with a reservoir" (Information Processing Letters
97, 2006): each item has the key u ** (1 / weight) with u uniform in (0, 1), and the largest keys stay. Instead of a key
for each item, it is drawn how much weight may pass until the next one comes in. Logarithms of keys are kept, since keys
of small weights are no floats.
"""

from __future__ import annotations

import heapq
import math
from random import Random


class Reservoir:
    """Which items of a stream stay, and in which of `size` slots.

    For each item ask `draw` with its weight. If it gives a key, the item belongs to the sample, and `place` says in which
    slot, whose item before it is out. An item that turns out to be unusable is simply not placed.

    Args:
        size: slots, at least 1.
        seed: the same stream and seed give the same sample.
    """

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._random = Random(seed)  # noqa: S311 - a sample, no secret
        self._heap: list[tuple[float, int]] = []
        self._ahead = 0.0

    def __len__(self) -> int:
        return len(self._heap)

    def draw(self, weight: float) -> float | None:
        """The logarithm of the key of an item that comes in, None for one that does not; weight above 0 and finite."""
        if len(self._heap) < self._size:
            return math.log(1.0 - self._random.random()) / weight
        self._ahead -= weight
        if self._ahead > 0.0:
            return None
        self._jump()
        # Uniform between the least key ** weight and 1, by its logarithm.
        least = math.expm1(weight * self._heap[0][0])
        return math.log1p(self._random.random() * least) / weight

    def place(self, key: float) -> int:
        """The slot for the item that this key was drawn for."""
        if len(self._heap) < self._size:
            slot = len(self._heap)
            heapq.heappush(self._heap, (key, slot))
        else:
            slot = self._heap[0][1]
            heapq.heapreplace(self._heap, (key, slot))
        if len(self._heap) == self._size:
            self._jump()
        return slot

    def _jump(self) -> None:
        """Draw the weight that passes before the next item comes in."""
        least = min(self._heap[0][0], -math.ulp(0.0))
        self._ahead = math.log(1.0 - self._random.random()) / least
