"""`route()`: features, predictor and utility put together. Pure computation on one request; no I/O."""

from __future__ import annotations

import logging
from os import PathLike
from pathlib import Path
from threading import Lock

import numpy as np

from turnout.config.paths import champion_folder
from turnout.errors import ArtifactError, RequestError
from turnout.features import extract
from turnout.policy.utility import utilities
from turnout.predictor import Predictor, load
from turnout.types import Decision, Ranked, Request, RequestLike

logger = logging.getLogger(__name__)


class Router:
    """Serves one predictor. Safe to share between threads; `reload` swaps the predictor in one step."""

    def __init__(self, predictor: Predictor, folder: Path | None = None) -> None:
        self._predictor = predictor
        self._folder = folder
        self._reloading = Lock()
        # The first call pays for lazy imports and caches inside NumPy; better here than in a request.
        self.route("warm-up")

    @classmethod
    def load(cls, path: str | PathLike[str] | None = None) -> Router:
        """Load a predictor folder; without a path the champion.

        Raises:
            ArtifactError: the folder is missing, damaged, or made for other features; the message says what to do.
        """
        folder = Path(path) if path is not None else champion_folder()
        return cls(load(folder), folder)

    @property
    def predictor(self) -> Predictor:
        """The predictor that serves now."""
        return self._predictor

    @property
    def candidates(self) -> tuple[str, ...]:
        """The candidates that can be chosen, cheapest first."""
        return self._predictor.candidates

    def reload(self) -> bool:
        """Read the folder again. A folder that cannot be served leaves the old predictor serving.

        Returns:
            Whether the new predictor serves now; the reason why not is logged as a warning.
        """
        if self._folder is None:
            return False
        with self._reloading:
            try:
                self._predictor = load(self._folder)
            except ArtifactError as error:
                logger.warning("keeping the predictor that serves: %s", error)
                return False
        return True

    def route(self, request: RequestLike, preference: str | float = "balanced") -> Decision:
        """Decide which candidate should take a request.

        Args:
            request: a prompt, a list of chat messages, or a `Request`.
            preference: fast, balanced, quality, or the exchange rate itself (see `policy.utility`).

        Raises:
            RequestError: nothing to route, a wrong type, or an unknown preference.
        """
        request = Request.of(request)
        if not request.prompt.strip() and not any(message.images for message in request.messages):
            raise RequestError("the prompt is empty; give at least one character that is not white space")
        predictor = self._predictor
        features = extract(request)
        prediction = predictor.predict(features)
        values = utilities(prediction, preference)
        out_of_depth = prediction.novelty > predictor.novelty_limit
        cautious = out_of_depth and features.task.tier == "strong"
        order = np.argsort(-(prediction.p_success if cautious else values), kind="stable").tolist()
        p_success, utility = prediction.p_success.tolist(), values.tolist()
        seconds = None if prediction.seconds is None else prediction.seconds.tolist()
        cost = None if prediction.cost_usd is None else prediction.cost_usd.tolist()
        ranking = tuple(
            Ranked(
                predictor.candidates[position],
                p_success[position],
                None if seconds is None else seconds[position],
                None if cost is None else cost[position],
                utility[position],
            )
            for position in order
        )
        return Decision(
            candidate=ranking[0].candidate,
            confidence=ranking[0].p_success,
            reason=_reason(ranking, preference, cautious),
            ranking=ranking,
            task=features.task,
            novelty=prediction.novelty,
            out_of_depth=out_of_depth,
        )


def _reason(ranking: tuple[Ranked, ...], preference: str | float, cautious: bool) -> str:
    """One sentence that a person reads."""
    first = ranking[0]
    if cautious:
        return "unlike anything seen in training and judged strong-tier: the most likely to succeed"
    surest = max(ranking, key=lambda entry: entry.p_success)
    if surest is first:
        return f"the most likely to succeed ({first.p_success:.0%}) and worth its expense at preference {preference}"
    gain = (surest.p_success - first.p_success) * 100
    return f"{surest.candidate} would add {gain:.0f} points of success, too little for its expense at preference {preference}"
