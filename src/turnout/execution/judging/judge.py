"""The judge of answers: signals and their confidence in one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from turnout.execution.judging import code, schemas
from turnout.execution.judging.confidence import DEFAULT_CONFIDENCE, ConfidenceModel
from turnout.execution.judging.signals import read_signals
from turnout.types import Answer, Request


@dataclass(frozen=True, slots=True)
class Judge:
    """Tells how far an answer can be trusted, by one confidence model. Safe to share between threads."""

    model: ConfidenceModel = DEFAULT_CONFIDENCE

    @classmethod
    def load(cls, path: Path | None = None) -> Judge:
        """The judge with the confidence model of a file; the default without one.

        Raises:
            ArtifactError: the file cannot be used, see `ConfidenceModel.load`.
        """
        return cls() if path is None else cls(ConfidenceModel.load(path))

    @staticmethod
    def warm() -> None:
        """Load what judging needs of other libraries, so that the first answer does not wait a tenth of a second for it."""
        schemas.warm()
        code.warm()

    def __call__(
        self, request: Request, answer: Answer, prior: float, *, agreement: float | None = None
    ) -> tuple[float, Mapping[str, float | bool]]:
        """The probability that the answer is good, and the signals that it was judged by: those that apply.

        Args:
            request: what was asked.
            answer: what came.
            prior: the probability of success that was expected of this candidate for this request.
            agreement: see `read_signals`.
        """
        signals = read_signals(request, answer, agreement=agreement)
        return self.model.confidence(signals, prior), signals.to_json()
