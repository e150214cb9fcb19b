"""How able a language model is, from its descriptor alone: a Gaussian process over size, date, family and kind.

Ability is on the log-odds scale, one value for each domain, correlated between domains. Language models that training
saw keep what is their own (their identity is a coordinate of the covariance); others get what their neighbours tell,
with a wider interval the further away these are (Rasmussen and Williams 2006, chapter 2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from turnout.descriptors import Descriptor
from turnout.predictor.prior import DOMAINS

Matrix = NDArray[np.float64]

COORDINATES: Final = ("size", "date", "published", "instruct", "coder", "reasoning", "tools", "math", "undated")
_MIDDLE_YEAR: Final = 2024.0
_TIER_SIZE: Final = {"small": 0.9, "medium": 1.8, "large": 2.5, None: 1.8}
"""log10 of billions of parameters that stand for what a maker calls small, medium and large, where none is published."""

_EFFORT: Final = {"low": 0.6, "medium": 0.8, "high": 1.0, None: 0.8}
_SHARED_WITH: Final = 0.5


def encode(descriptor: Descriptor) -> Matrix:
    """Coordinates of a descriptor: float64 (len(COORDINATES),).

    A mixture of experts counts as the geometric mean of its total and active parameters.
    """
    total, active = descriptor.parameters_b, descriptor.active_parameters_b
    size = _TIER_SIZE[descriptor.tier] if total is None else math.log10(math.sqrt(total * (active or total)))
    reasoning = _EFFORT[descriptor.effort] if descriptor.variant == "reasoning" or descriptor.effort else 0.0
    return np.array(
        [
            size,
            0.0 if descriptor.released is None else descriptor.released - _MIDDLE_YEAR,
            float(total is not None),
            _SHARED_WITH if descriptor.instruct is None else float(descriptor.instruct),
            float(descriptor.variant == "coder"),
            reasoning,
            float(descriptor.variant == "tools"),
            float(descriptor.variant == "math"),
            float(descriptor.released is None),
        ]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Covariance:
    """Hyperparameters: variances (log-odds squared) of each part, and lengths in units of the coordinates.

    smooth : of the smooth part over all coordinates, with lengths `size_length` (log10 of billions), `date_length` (years)
    and `kind_length`. linear : of the straight part in size and date. family, line : what language models of one family,
    one line and generation share. own : what one keeps wherever it is served. between : share of all these that domains
    have in common. table : a table's own difficulty. noise : what is left.
    """

    smooth: float = 0.5
    size_length: float = 1.0
    date_length: float = 3.0
    kind_length: float = 1.5
    linear: float = 0.5
    family: float = 0.1
    line: float = 0.1
    own: float = 0.1
    between: float = 0.7
    table: float = 4.0
    noise: float = 0.05

    @property
    def sound(self) -> bool:
        """Whether abilities can be computed with it: lengths above 0, variances not below, a share that is one."""
        lengths = self.size_length, self.date_length, self.kind_length
        values = asdict(self).values()
        return all(0.0 <= value < math.inf for value in values) and min(lengths) > 0.0 and self.between <= 1.0

    def to_json(self) -> dict[str, float]:
        """Plain values by name."""
        return asdict(self)

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """From plain values; what a newer version added is ignored."""
        return cls(**{entry.name: float(values[entry.name]) for entry in fields(cls)})


@dataclass(frozen=True, slots=True)
class Points:
    """Descriptors as the covariance reads them.

    coordinates : float64 (n, len(COORDINATES)). family, line, identity : int (n,), equal where they are the same, -1 where
    unknown.
    """

    coordinates: Matrix
    family: NDArray[np.int64]
    line: NDArray[np.int64]
    identity: NDArray[np.int64]


class Names:
    """Numbers for names, so that equality can be asked of arrays; grows while training, fixed while serving."""

    def __init__(self, known: Sequence[Sequence[str]] = ((), (), ())) -> None:
        self._numbers = [{name: number for number, name in enumerate(names)} for names in known]

    def to_json(self) -> list[list[str]]:
        """The names in order of their numbers: families, lines, identities."""
        return [list(numbers) for numbers in self._numbers]

    def points(self, descriptors: Sequence[Descriptor], *, learn: bool = False) -> Points:
        """The descriptors as points; names that are not known get -1, unless they may be learned."""
        columns = [[_names(descriptor)[part] for descriptor in descriptors] for part in range(3)]
        numbers = [
            np.array([self._number(part, name, learn) for name in column], np.int64)
            for part, column in enumerate(columns)
        ]
        coordinates = np.array([encode(descriptor) for descriptor in descriptors]).reshape(-1, len(COORDINATES))
        return Points(coordinates, *numbers)

    def _number(self, part: int, name: str, learn: bool) -> int:
        known = self._numbers[part]
        if not name or (name not in known and not learn):
            return -1
        return known.setdefault(name, len(known))


def _names(descriptor: Descriptor) -> tuple[str, str, str]:
    """What a family, a line of it and the language model itself are called; empty where it is unknown."""
    family = descriptor.family or ""
    line = f"{family}/{descriptor.generation}/{descriptor.line}" if family and descriptor.generation else ""
    whole = family and (descriptor.nominal_b or descriptor.tier or descriptor.version or descriptor.generation)
    return family, line, "/".join(map(str, descriptor.identity)) if whole else ""


def covariance(left: Points, right: Points, parts: Covariance) -> tuple[Matrix, Matrix]:
    """What abilities of (n, m) pairs share: over all domains alike, and within one domain only on top of it."""
    lengths = np.full(len(COORDINATES), parts.kind_length)
    lengths[:2] = parts.size_length, parts.date_length
    a, b = left.coordinates / lengths, right.coordinates / lengths
    distance = (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T
    total = parts.smooth * np.exp(-0.5 * np.maximum(distance, 0.0))
    total += parts.linear * (left.coordinates[:, :2] @ right.coordinates[:, :2].T)
    for variance, one, other in (
        (parts.family, left.family, right.family),
        (parts.line, left.line, right.line),
        (parts.own, left.identity, right.identity),
    ):
        total += variance * ((one[:, None] == other[None]) & (one[:, None] >= 0))
    return parts.between * total, (1 - parts.between) * total


@dataclass(frozen=True, slots=True)
class Abilities:
    """The fitted process.

    points : of the n training entries (a language model in one table). domain : int (n,). weights : float64 (n,), inverse :
    float64 (n, n), of the training covariance. mean : the log-odds that stand for "knows nothing of it".
    """

    names: Names
    points: Points
    domain: NDArray[np.int64]
    weights: Matrix
    inverse: Matrix
    mean: float
    parts: Covariance
    _domains: NDArray[np.int64] = field(default_factory=lambda: np.arange(len(DOMAINS)), repr=False)

    def of(self, descriptors: Sequence[Descriptor]) -> tuple[Matrix, Matrix]:
        """Abilities in a table of common difficulty.

        Returns:
            means (n, n_domains) and covariances (n, n_domains, n_domains), log-odds.
        """
        asked = self.names.points(descriptors)
        shared, single = covariance(asked, self.points, self.parts)
        same = self._domains[:, None] == self.domain[None]
        cross = shared[:, None, :] + single[:, None, :] * same[None]  # (n, n_domains, n_training)
        means = self.mean + cross @ self.weights
        own_shared, own_single = (np.diagonal(each) for each in covariance(asked, asked, self.parts))
        own = own_shared[:, None, None] + own_single[:, None, None] * np.eye(len(DOMAINS))
        # A family, a line or a language model that nobody saw has something of its own all the same.
        parts, strange = self.parts, np.zeros(len(descriptors))
        for variance, number in ((parts.family, asked.family), (parts.line, asked.line), (parts.own, asked.identity)):
            strange += variance * (number < 0)
        own = own + strange[:, None, None] * (parts.between + (1 - parts.between) * np.eye(len(DOMAINS)))
        return means, own - cross @ self.inverse @ cross.transpose(0, 2, 1)
