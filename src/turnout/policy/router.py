"""`route()`: features, predictor and utility put together. Pure computation on one request; no I/O."""

from __future__ import annotations

import logging
from contextlib import suppress
from os import PathLike
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from turnout.config.paths import champion_folder
from turnout.errors import ArtifactError, ArtifactMissingError, ConfigurationError, NoCandidateError, RequestError
from turnout.features import extract
from turnout.policy import plain
from turnout.policy.case import Case
from turnout.policy.conversations import Conversations
from turnout.predictor import Predictor, load
from turnout.types import Decision, Hints, Request, RequestLike, Snapshot

if TYPE_CHECKING:
    from turnout.config.rules import ExchangeRates
    from turnout.policy.policy import Policy

logger = logging.getLogger(__name__)

NO_HINTS: Final = Hints()


class Router:
    """Serves one predictor under one policy. Safe to share between threads; both are swapped in one step.

    Args:
        predictor: what was learned; None before anything was.
        folder: where `reload` finds a newer one.
        policy: candidates, rules and limits of a configuration; None routes among what the predictor knows.

    Raises:
        ConfigurationError: neither a predictor nor a policy.
    """

    def __init__(self, predictor: Predictor | None, folder: Path | None = None, policy: Policy | None = None) -> None:
        if predictor is None and policy is None:
            raise ConfigurationError("a router needs a predictor, a configuration, or both")
        self._predictor = predictor
        self._policy = policy
        self._folder = folder
        self._reloading = Lock()
        self._conversations = Conversations()
        # The first call pays for lazy imports and caches inside NumPy; better here than in a request.
        with suppress(NoCandidateError):
            self.route("warm-up")

    @classmethod
    def load(
        cls,
        path: str | PathLike[str] | None = None,
        *,
        configuration: str | PathLike[str] | Policy | None = None,
    ) -> Router:
        """Load a predictor folder; without a path the champion.

        With a configuration (a file, or a policy made of one) its candidates, rules and limits count, and a champion
        that is not there yet is no error: until then rules, seconds and the configured order decide.

        Raises:
            ArtifactError: the folder is missing, damaged, or made for other features; the message says what to do.
            ConfigurationError: the configuration is not valid; every problem with its line.
        """
        folder = Path(path) if path is not None else champion_folder()
        if configuration is None:
            return cls(load(folder), folder)
        from turnout.policy.policy import Policy

        policy = configuration if isinstance(configuration, Policy) else Policy.load(configuration)
        try:
            predictor = load(folder)
        except ArtifactMissingError:
            if path is not None:
                raise
            predictor = None
        return cls(predictor, folder, policy)

    @property
    def predictor(self) -> Predictor | None:
        """The predictor that serves now; None before anything was learned."""
        return self._predictor

    @property
    def policy(self) -> Policy | None:
        """The policy that counts now."""
        return self._policy

    @property
    def candidates(self) -> tuple[str, ...]:
        """The candidates that can be chosen: those configured, else those of the predictor, cheapest first."""
        policy, predictor = self._policy, self._predictor
        if policy is not None:
            learned = predictor.candidates if predictor is not None else ()
            return tuple(candidate.name for candidate in policy.candidates(None, learned))
        return predictor.candidates if predictor is not None else ()

    def configure(self, policy: Policy) -> None:
        """Follow another policy from the next request on; a request under way keeps the one it began with."""
        self._policy = policy

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

    def route(
        self,
        request: RequestLike,
        preference: str | float | ExchangeRates | None = None,
        *,
        hints: Hints = NO_HINTS,
        snapshot: Snapshot | None = None,
    ) -> Decision:
        """Decide which candidate should take a request.

        Args:
            request: a prompt, a list of chat messages, or a `Request`.
            preference: fast, balanced, quality, the exchange rate itself (see `policy.utility`), or what a second and a
                cent are worth; by default the configured one, else balanced.
            hints: conversation, user and headers.
            snapshot: what is known of providers and candidates now; None plans without.

        Raises:
            RequestError: nothing to route, a wrong type, or an unknown preference.
            NoCandidateError: no candidate can serve this; with the reason of each.
        """
        request = Request.of(request)
        if not request.prompt.strip() and not any(message.images for message in request.messages):
            raise RequestError("the prompt is empty; give at least one character that is not white space")
        predictor, policy = self._predictor, self._policy  # read once: a reload in between must not mix two
        features = extract(request)
        prediction = predictor.predict(features) if predictor is not None else None
        case = Case(request, features, predictor, prediction, preference, hints)
        if policy is not None:
            return policy.decide(case, self._conversations, snapshot)
        assert predictor is not None and prediction is not None
        return plain.decide(case, predictor, prediction)

    def answered(self, conversation: str, candidate: str) -> None:
        """Another candidate than the chosen one answered in the end; the next turn should know."""
        self._conversations.correct(conversation, candidate)
