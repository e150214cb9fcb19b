"""The three sizes of the laboratory's language models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from turnout_pipelines.lab.vocabulary import VOCABULARY


@dataclass(frozen=True, slots=True)
class Size:
    """The shape of a llama: `width` channels in `layers` blocks, and what its training begins with."""

    name: str
    width: int
    layers: int
    heads: int
    feed_forward: int
    learning_rate: float
    batch: int
    """Tasks in a step."""
    grown_from: str = ""
    """The size of half the width whose trained weights it begins with."""

    @property
    def head_width(self) -> int:
        """Channels of one head."""
        return self.width // self.heads

    @property
    def parameters(self) -> int:
        """All weights; the embedding is the output layer too."""
        block = 4 * self.width**2 + 3 * self.width * self.feed_forward + 2 * self.width
        return int(VOCABULARY * self.width + self.layers * block + self.width)


SIZES: Final = {
    size.name: size
    for size in (
        Size("small", width=96, layers=3, heads=2, feed_forward=208, learning_rate=6e-3, batch=48),
        Size(
            "medium", width=192, layers=5, heads=4, feed_forward=416, learning_rate=4e-3, batch=64, grown_from="small"
        ),
        Size(
            "large", width=384, layers=5, heads=8, feed_forward=832, learning_rate=2e-3, batch=64, grown_from="medium"
        ),
    )
}
ROPE_BASE: Final = 10_000.0
NORM_EPSILON: Final = 1e-5
