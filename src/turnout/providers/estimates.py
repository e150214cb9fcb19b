"""Running estimates of each candidate's speed, from what was measured here, kept over restarts.

Speeds are positive and skewed, so means are taken of their logarithms: the estimate is a running geometric mean, which
one outlier moves little. The first measurements weigh 1/n each, later ones a fixed share, so that a new driver or a
busier machine shows within a dozen answers.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from turnout.files import write_aside
from turnout.types import Answer, Speeds

logger = logging.getLogger(__name__)

SMOOTHING: Final = 0.15
VERSION: Final = 1
_SHORT_PROMPT_TOKENS: Final = 256  # below it the first token's time is overhead, above it mostly prefill
_SLOW_PREFILL_TOKENS_PER_S: Final = 50.0  # a large language model on a small CPU
_LEAST_WRITING: Final = 0.5  # of the time of an answer in one piece, whatever reading is thought to take
_FEW_TOKENS: Final = 8  # too few to tell a decode rate from noise


@dataclass(slots=True)
class RunningMean:
    """A running geometric mean and the spread of the logarithms around it."""

    log_mean: float = 0.0
    log_variance: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        """Take in one positive measurement; others are left out."""
        if not (math.isfinite(value) and value > 0):
            return
        self.count += 1
        weight = max(SMOOTHING, 1 / self.count)
        change = math.log(value) - self.log_mean
        self.log_mean += weight * change
        # West, "Updating mean and variance estimates", 1979, with exponential weights.
        self.log_variance = (1 - weight) * (self.log_variance + weight * change * change)

    @property
    def value(self) -> float | None:
        """The mean, None before the first measurement."""
        return math.exp(self.log_mean) if self.count else None

    @property
    def arithmetic(self) -> float | None:
        """The arithmetic mean that goes with them, were the logarithms normal: what sums are made of."""
        return math.exp(self.log_mean + self.log_variance / 2) if self.count else None

    def quantile(self, z: float) -> float | None:
        """The value z standard deviations up, were the logarithms normal; None before the second measurement."""
        return math.exp(self.log_mean + z * math.sqrt(self.log_variance)) if self.count > 1 else None


@dataclass(slots=True)
class _Measured:
    first_token_s: RunningMean = field(default_factory=RunningMean)
    prefill_tokens_per_s: RunningMean = field(default_factory=RunningMean)
    decode_tokens_per_s: RunningMean = field(default_factory=RunningMean)
    load_s: RunningMean = field(default_factory=RunningMean)
    service_s: RunningMean = field(default_factory=RunningMean)
    answer_tokens: RunningMean = field(default_factory=RunningMean)
    answers: int = 0


_FIELDS: Final = (
    "first_token_s",
    "prefill_tokens_per_s",
    "decode_tokens_per_s",
    "load_s",
    "service_s",
    "answer_tokens",
)
_Z_95: Final = 1.645


class Estimates:
    """The estimates of every candidate. With a path they are read at the start and written by `save`."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._measured: dict[str, _Measured] = {}
        if path is not None:
            self._measured = _read(path)
        self._saved = self._count()

    def speeds(self, candidate: str) -> Speeds:
        """What is known of one candidate."""
        known = self._measured.get(candidate)
        if known is None:
            return Speeds()
        return Speeds(
            first_token_s=known.first_token_s.value,
            first_token_p95_s=known.first_token_s.quantile(_Z_95),
            prefill_tokens_per_s=known.prefill_tokens_per_s.value,
            decode_tokens_per_s=known.decode_tokens_per_s.value,
            load_s=known.load_s.value,
            service_s=known.service_s.arithmetic,
            answer_tokens=known.answer_tokens.value,
            measurements=known.answers,
            prefill_count=known.prefill_tokens_per_s.count,
            decode_count=known.decode_tokens_per_s.count,
            load_count=known.load_s.count,
        )

    def prefill_s(self, candidate: str, tokens: int) -> float:
        """Seconds that reading a prompt should take at most; slow until it was measured, since patience depends on it."""
        known = self._measured.get(candidate)
        rate = known.prefill_tokens_per_s.value if known is not None else None
        return tokens / (rate or _SLOW_PREFILL_TOKENS_PER_S)

    def answered(self, answer: Answer, *, first_token_s: float | None, total_s: float, was_loaded: bool = True) -> None:
        """Take in one answer: what the provider timed where it did, else what was seen from here.

        Args:
            first_token_s: None of an answer that came in one piece.
            was_loaded: the language model was in memory; a load that came with the request would pass for slowness.
        """
        known = self._measured.setdefault(answer.candidate, _Measured())
        known.answers += 1
        usage, timings = answer.usage, answer.timings
        prompt = (usage.prompt_tokens or 0) - (usage.cached_tokens or 0)
        made = usage.completion_tokens or 0
        known.service_s.add(total_s)
        known.answer_tokens.add(float(made))
        if first_token_s is not None and was_loaded:
            prefill_s = first_token_s - (timings.load_s or 0.0)
            if prompt < _SHORT_PROMPT_TOKENS:
                known.first_token_s.add(prefill_s)
            else:
                # Seen from here, not as the provider divides it: cache hits make its own rate look too good.
                known.prefill_tokens_per_s.add(prompt / prefill_s if prefill_s > 0 else 0.0)
            decode_s = timings.decode_s or total_s - first_token_s
        else:
            # In one piece nobody saw where reading ended: what it is known to take is left out, the rest was writing.
            rate = known.prefill_tokens_per_s.value
            reading_s = (known.first_token_s.value or 0.0) + (prompt / rate if rate else 0.0)
            decode_s = timings.decode_s or max(total_s - reading_s, _LEAST_WRITING * total_s)
            if timings.prefill_s and prompt >= _SHORT_PROMPT_TOKENS and not usage.cached_tokens:
                known.prefill_tokens_per_s.add(prompt / timings.prefill_s)
        if made >= _FEW_TOKENS and decode_s > 0:
            known.decode_tokens_per_s.add((made - 1) / decode_s)

    def loaded(self, candidate: str, load_s: float) -> None:
        """Take in the seconds of one load."""
        self._measured.setdefault(candidate, _Measured()).load_s.add(load_s)

    def save(self) -> None:
        """Write what changed; a disk that refuses is logged, never raised."""
        content = self.content()
        if content is not None:
            self.write(content)

    def content(self) -> bytes | None:
        """What there is to be written; None where nothing changed. To be called where measurements are taken in."""
        if self._path is None or self._count() == self._saved:
            return None
        document = {
            "version": VERSION,
            "candidates": {
                name: {key: _plain(getattr(known, key)) for key in _FIELDS} | {"answers": known.answers}
                for name, known in sorted(self._measured.items())
            },
        }
        self._saved = self._count()
        return json.dumps(document, indent=1).encode()

    def write(self, content: bytes) -> None:
        """Write what `content` gave; may run in another thread. What fails is tried again after the next answer."""
        assert self._path is not None
        try:
            write_aside(self._path, content)
        except OSError as error:
            logger.warning("the measured speeds were not saved in %s: %s", self._path, error)
            self._saved = -1

    def _count(self) -> int:
        return sum(known.answers + known.load_s.count for known in self._measured.values())


def _plain(mean: RunningMean) -> list[float]:
    return [mean.log_mean, mean.log_variance, mean.count]


def _read(path: Path) -> dict[str, _Measured]:
    """What was saved; a file that cannot be used is logged and begun anew, because speeds come back by themselves."""
    try:
        document = json.loads(path.read_bytes())
        if document["version"] != VERSION:
            raise ValueError(f"version {document['version']}, expected {VERSION}")
        return {str(name): _measured(entry) for name, entry in document["candidates"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        logger.warning("starting without measured speeds: %s cannot be used (%s)", path, error)
        return {}


def _measured(entry: Mapping[str, Any]) -> _Measured:
    means = {}
    for key in _FIELDS:
        log_mean, log_variance, count = (float(number) for number in entry[key])
        if not (abs(log_mean) < 50 and 0 <= log_variance < 1e4 and 0 <= count < 1e15):
            raise ValueError(f"{key} is out of range")
        means[key] = RunningMean(log_mean, log_variance, int(count))
    answers = int(entry["answers"])
    if answers < 0:
        raise ValueError("answers is below 0")
    return _Measured(**means, answers=answers)
