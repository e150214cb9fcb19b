"""From signals to confidence: the probability that an answer is good, given what was seen of it and what was expected.

    logit(confidence) = prior_weight * logit(prior) + bias + sum(weight * signal)

The prior is the predictor's calibrated probability that this candidate succeeds at this request; the signals move it.
The weights of `DEFAULT_CONFIDENCE` are set by hand and serve until `learning.confidence_fit` finds better ones in the
history.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import mul
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from turnout.errors import ArtifactCorruptError, ArtifactMismatchError, ArtifactMissingError
from turnout.execution.judging.signals import SIGNAL_NAMES, Signals
from turnout.files import write_aside

FILE: Final = "confidence.json"
FORMAT: Final = 1
PRIOR_LIMIT: Final = 0.99
"""Priors are held between this and its opposite: no prompt is so easy that an answer cannot go wrong."""

LOGIT_LIMIT: Final = 40.0
"""Logits beyond this and its opposite are as good as certain."""

_MAX_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ConfidenceModel:
    """Weights of the logistic model above, float64 (len(SIGNAL_NAMES),); `fitted` says how they came about.

    `figures` are what was measured on held-out answers, with those of the default beside.
    """

    weights: NDArray[np.float64]
    bias: float
    prior_weight: float = 1.0
    fitted: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)

    def confidence(self, signals: Signals, prior: float) -> float:
        """The probability that the answer is good; a prior that is not finite counts as even."""
        # One answer takes plain floats: with arrays of this size NumPy's calls cost ten times the arithmetic.
        seen = sum(map(mul, self.weights.tolist(), signals.row()))
        logit = self.prior_weight * prior_logit(prior) + self.bias + seen
        return 1.0 / (1.0 + math.exp(-min(LOGIT_LIMIT, max(-LOGIT_LIMIT, logit))))

    def predict(self, vectors: NDArray[np.float64], priors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Confidences for rows of `Signals.vector`, (n, len(SIGNAL_NAMES)), and priors (n,)."""
        return np.asarray(expit(self.prior_weight * prior_logits(priors) + self.bias + vectors @ self.weights))

    def save(self, path: Path) -> None:
        """Write the file so that a reader sees the old one or the new one."""
        content = {
            "format": FORMAT,
            "signals": list(SIGNAL_NAMES),
            "weights": self.weights.tolist(),
            "bias": self.bias,
            "prior_weight": self.prior_weight,
            "fitted": self.fitted,
            "figures": dict(self.figures),
        }
        write_aside(path, json.dumps(content, indent=1).encode())

    @classmethod
    def load(cls, path: Path) -> ConfidenceModel:
        """Read one back.

        Raises:
            ArtifactMissingError: the file does not exist or cannot be read.
            ArtifactCorruptError: it holds something else.
            ArtifactMismatchError: it was made by an unknown format version or for other signals.
        """
        try:
            with path.open("rb") as file:
                raw = file.read(_MAX_BYTES + 1)
        except OSError as error:
            raise ArtifactMissingError(f"{path} cannot be read ({error.strerror})") from error
        try:
            if len(raw) > _MAX_BYTES:
                raise ValueError(f"more than {_MAX_BYTES} bytes")
            content = json.loads(raw)
            made_for = (content["format"], content["signals"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ArtifactCorruptError(f"{path} is no confidence model: {error}") from error
        if made_for != (FORMAT, list(SIGNAL_NAMES)):
            raise ArtifactMismatchError(
                f"{path} was made for other signals or by another version; fit it again or remove it"
            )
        try:
            return cls._of(content)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ArtifactCorruptError(f"{path} is no confidence model: {error}") from error

    @classmethod
    def _of(cls, content: Mapping[str, Any]) -> ConfidenceModel:
        weights = np.array(content["weights"], np.float64)
        bias, prior_weight = float(content["bias"]), float(content["prior_weight"])
        if weights.shape != (len(SIGNAL_NAMES),):
            raise ValueError(f"{weights.size} weights for {len(SIGNAL_NAMES)} signals")
        if not (np.isfinite(weights).all() and math.isfinite(bias) and math.isfinite(prior_weight)):
            raise ValueError("a weight is not finite")
        figures = {str(name): float(value) for name, value in content["figures"].items()}
        return cls(weights, bias, prior_weight, str(content["fitted"]), figures)


def prior_logit(prior: float) -> float:
    """The log-odds of one prior within `PRIOR_LIMIT`."""
    if not math.isfinite(prior):
        return 0.0
    held = min(PRIOR_LIMIT, max(1.0 - PRIOR_LIMIT, prior))
    return math.log(held / (1.0 - held))


def prior_logits(priors: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same for many."""
    held = np.clip(np.where(np.isfinite(priors), priors, 0.5), 1.0 - PRIOR_LIMIT, PRIOR_LIMIT)
    return np.asarray(np.log(held / (1.0 - held)))


def expit(logits: Any) -> Any:
    """The logistic function of logits within `LOGIT_LIMIT`."""
    return 1.0 / (1.0 + np.exp(-np.clip(logits, -LOGIT_LIMIT, LOGIT_LIMIT)))


_WEIGHTS: Final[Mapping[str, float]] = {
    "empty": -9.0,  # there is nothing to be right
    "filtered": -6.0,  # somebody took the answer away
    "format_broken": -5.5,  # whoever asked for JSON parses it, and fails
    "calls_broken": -5.5,  # the call cannot be carried out
    "loop": -5.0,  # the rest of the answer was lost to it
    "refusal": -4.6,  # some requests deserve one, so a little hope stays
    "echo": -4.0,  # nothing was answered, but a formatter may hand back what was fine already
    "cut": -3.6,  # the end is missing; what stands there may do
    "code_missing": -2.0,  # what counts as code in plain text is a guess
    "off_script": -2.0,  # right, perhaps, in a language that the caller did not use
    "code_broken": -1.6,  # shortened examples do not parse either
    "format_wrapped": -1.5,  # many callers unwrap it
    "fence_open": -1.5,  # mostly a lost end, sometimes a nested fence
    "unfinished": -1.5,  # a list that announces itself and stops
    "off_length": -0.8,  # too long can still be right
    # What was asked for and came in the right form is a little better than what was only asked for.
    "format_broken_known": 0.1,
    "calls_broken_known": 0.1,
    "code_broken_known": 0.1,
    # Usual answers have a mean near -.25, a 10th percentile near -.8 and 8 % low tokens: these sum up to 0 there.
    "logprob_mean": 0.6,
    "logprob_p10": 0.1,
    "logprob_low": -1.0,
    "logprob_mean_known": 0.31,
    # Answers that agree half-way say nothing; full agreement is worth a factor of 3 in odds, as is none.
    "agreement": 2.2,
    "agreement_known": -1.1,
}

DEFAULT_CONFIDENCE: Final = ConfidenceModel(
    np.array([_WEIGHTS.get(name, 0.0) for name in SIGNAL_NAMES]),
    bias=0.1,  # nothing wrong was seen: a little better than the prompt alone let one expect
    fitted="set by hand; no outcome was used",
)
"""Held to: a clean answer keeps about its prior (.8 becomes .82 to .85); with a prior up to .95 an empty one, a broken
format or call ends under .1, a loop under .15, a refusal under .2, a cut under .4."""
