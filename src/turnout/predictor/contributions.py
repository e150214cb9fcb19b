"""What pushed a prediction, and by how much: exact parts that add up to each candidate's score.

A score is base + parts, and probability is score + one calibration step. The base is what the predictor says of a
prompt without one known word whose dense features are all at their training mean; where training started from a base
predictor, with what that says of a middling prompt. What that makes of the prompt's text is one part.

N-grams are linear in their TF-IDF values, so a bucket's part is value * weight, named by the words that hashed to it.
The values are of unit length: each part holds given the other words of the prompt.

Dense features act through trees. Their parts are Shapley values of f(prompt) - f(training mean): the game in which a
coalition's features have the prompt's values and all others those of the mean (baseline Shapley, Sundararajan and Najmi
2020; TreeSHAP's interventional form with one reference, Lundberg et al. 2020). TreeSHAP's other form, conditional
expectations along the paths, weighs branches by how many training rows took them; an artifact holds no such counts,
and inventing them (equal halves) would explain another model. The mean is stored, makes the game one of the served
model only, and needs no sampling.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from turnout.errors import RequestError
from turnout.features import Features
from turnout.features.terms import name_buckets
from turnout.predictor.feature_labels import FEATURE_LABELS, for_task
from turnout.predictor.linear import term_weights
from turnout.predictor.model import Predictor
from turnout.predictor.prior import MIDDLE_ROW
from turnout.predictor.trees import DEPTH, LEAVES, Forest
from turnout.types import Request, RequestLike

SHOWN: Final = 8
"""Parts told one by one; the others are summed."""

EVERYTHING_ELSE: Final = "everything else"
READ_BY_PRIOR: Final = "such prompts, for language models of its kind"
"""The part of the base predictor: what it says of this prompt beyond what it says of a middling one."""

POINTS: Final = 100.0
"""Points of success in a probability of 1."""

_NOTHING: Final = 1e-9
"""Points that rounding alone leaves, where a part moves both candidates of a difference alike."""

Level: TypeAlias = Literal["none", "low", "high"]
"""How much of a dense feature the prompt has: nothing at all, less than the training mean, more. A missing thing pushes, too."""

_LABELS: Final = tuple(dict.fromkeys(FEATURE_LABELS.values()))
_LABEL_OF: Final = np.array([_LABELS.index(label) for label in FEATURE_LABELS.values()])
_FIRST_OF: Final = np.array([_LABEL_OF.tolist().index(at) for at in range(len(_LABELS))])
"""The label of each feature and the first feature of each label, as positions."""

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Part:
    """One push, in points of success. `level` is None for words, tasks and sums."""

    label: str
    points: float
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Base and parts add up to the score, score and calibration to success. All in points, 100 being certain.

    A score may lie outside 0 to 100, success does not. Calibration is not additive, so it is one step with one number.
    With `over`, this is how far the candidate lies above that one, and each number a difference.
    `parts` come largest first, what is too small to be told as one last part.
    """

    candidate: str
    over: str | None
    base_points: float
    parts: tuple[Part, ...]
    score_points: float
    calibration_points: float
    success_points: float


@dataclass(frozen=True, slots=True)
class Contributions:
    """Every part of one prediction, for all candidates; probabilities, not points.

    labels, levels : one for each part, those that move any candidate most first. parts : float64 (n_parts, n_candidates).
    base, score, p_success : float64 (n_candidates,); score is before calibration, p_success what is served.
    """

    candidates: tuple[str, ...]
    labels: tuple[str, ...]
    levels: tuple[Level | None, ...]
    parts: Array
    base: Array
    score: Array
    p_success: Array

    def of(self, candidate: str, shown: int = SHOWN) -> Breakdown:
        """What made the prediction for one candidate.

        Raises:
            RequestError: no candidate has this name.
        """
        pick = np.zeros(len(self.candidates))
        pick[self._index(candidate)] = 1.0
        return self._breakdown(candidate, None, pick, shown)

    def difference(self, candidate: str, other: str, shown: int = SHOWN) -> Breakdown:
        """What pushed one candidate over another; what moves both alike drops out.

        Raises:
            RequestError: no candidate has one of these names.
        """
        pick = np.zeros(len(self.candidates))
        pick[self._index(candidate)] += 1.0
        pick[self._index(other)] -= 1.0
        return self._breakdown(candidate, other, pick, shown)

    def _index(self, candidate: str) -> int:
        try:
            return self.candidates.index(candidate)
        except ValueError:
            known = ", ".join(self.candidates)
            raise RequestError(f"{candidate!r} is none of the predictor's candidates: {known}") from None

    def _breakdown(self, candidate: str, over: str | None, pick: Array, shown: int) -> Breakdown:
        points = POINTS * (self.parts @ pick)
        order = np.argsort(-np.abs(points), kind="stable").tolist()
        order = [at for at in order if abs(points[at]) > _NOTHING]
        parts = [Part(self.labels[at], float(points[at]), self.levels[at]) for at in order[:shown]]
        if len(order) > shown:
            parts.append(Part(EVERYTHING_ELSE, float(points[order[shown:]].sum())))
        base, score, success = (float(POINTS * (each @ pick)) for each in (self.base, self.score, self.p_success))
        return Breakdown(candidate, over, base, tuple(parts), score, success - score, success)


def contributions(predictor: Predictor, features: Features, request: RequestLike) -> Contributions:
    """Take a prediction apart.

    Args:
        features: of this request, as `extract` made them.
        request: read once more for the words behind n-grams.

    Raises:
        ValueError: the features are not this request's.
        RequestError: the request cannot be read.
    """
    blend, to_scores = predictor.blend, predictor.to_scores.astype(np.float64)
    by_trees = tree_shapley(predictor.forest, features.vector, predictor.feature_mean)
    dense = (by_trees * blend.tree_gain[:, None]).T @ to_scores
    from_ngrams = (predictor.to_outputs.astype(np.float64) * blend.ngram_gain) @ to_scores
    values, _ = term_weights(predictor.ngrams.idf, features.buckets, features.counts)
    known = np.flatnonzero(values)
    buckets = features.buckets[known]
    words = (values[known, None].astype(np.float64) * predictor.ngrams.weights[buckets]) @ from_ngrams
    at_mean = predictor.forest.predict_one(predictor.feature_mean).astype(np.float64)
    base = predictor.ngrams.intercept @ from_ngrams + (blend.offset + blend.tree_gain * at_mean) @ to_scores

    read = np.zeros((0, len(base)))
    if predictor.prior is not None:
        row, _ = predictor.prior.traits.of(features)
        middling = predictor.prior.scores(MIDDLE_ROW).astype(np.float64)
        read = (predictor.prior.scores(row) - middling)[None]
        base = base + middling
    grouped = np.zeros((len(_LABELS), len(base)))
    np.add.at(grouped, _LABEL_OF, dense)
    names = name_buckets(Request.of(request).prompt)
    if not names.keys() >= set(buckets.tolist()):
        raise ValueError("the features are not those of this request: they hold words that it does not")
    labels = [*(for_task(label, features.task) for label in _LABELS)]
    labels += [f"words: {names[bucket][0]}" for bucket in buckets.tolist()]
    labels += [READ_BY_PRIOR] * len(read)
    levels = [*_levels(features.vector, predictor.feature_mean), *[None] * (len(buckets) + len(read))]
    parts = np.concatenate((grouped, words, read))
    size = np.abs(parts).max(1)
    order = np.argsort(-size, kind="stable")[: np.count_nonzero(size)]
    return Contributions(
        candidates=predictor.candidates,
        labels=tuple(labels[at] for at in order),
        levels=tuple(levels[at] for at in order),
        parts=parts[order],
        base=base,
        score=base + parts.sum(0),
        p_success=predictor.predict(features).p_success,
    )


def _levels(vector: NDArray[np.float32], mean: NDArray[np.float32]) -> list[Level | None]:
    """The level of each label, by the first of its features: the whole prompt's, where the instruction has its own."""
    levels: list[Level | None] = []
    for label, at in zip(_LABELS, _FIRST_OF.tolist(), strict=True):
        value, usual = vector[at], mean[at]
        if label.startswith("task: "):
            levels.append(None)
        else:
            levels.append("none" if value == 0 else "low" if value < usual else "high")
    return levels


# The tests on the way to each leaf, and whether it turns right there: shape (8, 3).
_TURN: Final = (np.arange(LEAVES)[:, None] >> np.arange(DEPTH)[::-1] & 1).astype(np.bool_)
_WAY: Final = np.array([[(1 << d) - 1 + (leaf >> (DEPTH - d)) for d in range(DEPTH)] for leaf in range(LEAVES)])
# Shapley value of one member of `inside`, or of `outside` less its sign, where all of `inside` and none of `outside`
# must have joined: (i - 1)! o! / (i + o)! and i! (o - 1)! / (i + o)!; shape (4, 4).
_JOIN: Final = np.array(
    [[factorial(max(i - 1, 0)) * factorial(o) / factorial(i + o) for o in range(DEPTH + 1)] for i in range(DEPTH + 1)]
)
_EARLIER: Final = np.tri(DEPTH, k=-1, dtype=np.bool_)


def tree_shapley(forest: Forest, vector: NDArray[np.float32], reference: NDArray[np.float32]) -> Array:
    """Shapley values of forest(vector) - forest(reference), features joining in with the values of `vector`.

    A leaf is reached by the coalitions that hold all features whose tests on the way only `vector` passes and none of
    those whose tests only `reference` passes. That game's Shapley values have a closed form (Laberge and Pequignot
    2022, "Understanding Interventional TreeSHAP", which proves it), and values of leaves add up to the forest's.

    Returns:
        float64 (n_outputs, n_features); each row sums to the difference of its output.
    """
    feature = forest.feature[:, _WAY]  # (n_trees, 8, 3): the features on the way to each leaf
    same = feature[..., :, None] == feature[..., None, :]
    # Whether a test's feature passes all of its tests on the way with its value in one row or the other.
    own, usual = (
        (~same | ((row[forest.feature] > forest.threshold)[:, _WAY] == _TURN)[..., None, :]).all(-1)
        for row in (vector, reference)
    )
    counted = (own | usual).all(-1, keepdims=True) & ~(same & _EARLIER).any(-1)
    inside, outside = own & ~usual & counted, usual & ~own & counted
    joined, absent = inside.sum(-1), outside.sum(-1)
    share = inside * _JOIN[joined, absent][..., None] - outside * _JOIN[absent, joined][..., None]
    n_outputs, n_features = len(forest.baseline), len(vector)
    output = np.arange(len(feature)) // max(1, len(feature) // n_outputs)
    cells = feature + n_features * output[:, None, None]
    summed = np.bincount(cells.ravel(), (forest.leaves[..., None] * share).ravel(), n_outputs * n_features)
    return np.asarray(summed, np.float64).reshape(n_outputs, n_features)
