"""`route()`: features, predictor and utility put together. Pure computation on one request; no I/O."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from turnout.config.paths import champion_folder
from turnout.errors import ArtifactError, ArtifactMissingError, ConfigurationError, NoCandidateError, RequestError
from turnout.features import extract
from turnout.policy import plain
from turnout.policy.case import Case
from turnout.policy.conversations import Conversations
from turnout.policy.followed import Followed
from turnout.policy.newcomers import Newcomers
from turnout.policy.tempo import Learned, Tempo
from turnout.predictor import Predictor
from turnout.types import Decision, Hints, Request, RequestLike, Snapshot, Tried

if TYPE_CHECKING:
    from turnout.config.rules import ExchangeRates
    from turnout.policy.policy import Policy, Wish

logger = logging.getLogger(__name__)

NO_HINTS: Final = Hints()


class _Serving(NamedTuple):
    """What is replaced in one step: the predictor, and how today differs from its history."""

    predictor: Predictor | None
    tempo: Tempo


class Router:
    """Serves one predictor under one policy. Safe to share between threads; both are swapped in one step.

    Under a policy a challenger may stand beside it: asked in the shadow, or deciding a share of requests.

    Args:
        predictor: what was learned; None before anything was.
        folder: where `reload` finds a newer one.
        policy: candidates, rules and limits of a configuration; None routes among what the predictor knows.
        newcomers: answers for candidates of the policy that the predictor does not know; None counts them as average.

    Raises:
        ConfigurationError: neither a predictor nor a policy.
    """

    def __init__(
        self,
        predictor: Predictor | None,
        folder: Path | None = None,
        policy: Policy | None = None,
        newcomers: Newcomers | None = None,
    ) -> None:
        if predictor is None and policy is None:
            raise ConfigurationError("a router needs a predictor, a configuration, or both")
        self._serving = _Serving(predictor, Tempo())
        self._challenger: Predictor | None = None
        self._policy = policy
        self._newcomers = newcomers
        self._followed = None if folder is None else Followed(folder)
        self._reloading = Lock()
        self.since = time.time()
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
        that is not there yet is no error: until then rules, seconds and what the base predictor knows of language models
        by their names decide.

        Raises:
            ArtifactError: the folder is missing, damaged, or made for other features; the message says what to do.
            ConfigurationError: the configuration is not valid; every problem with its line.
        """
        followed = Followed(Path(path) if path is not None else champion_folder())
        if configuration is None:
            return cls(followed.read())._following(followed)
        from turnout.policy.policy import Policy

        policy = configuration if isinstance(configuration, Policy) else Policy.load(configuration)
        predictor: Predictor | None
        try:
            predictor = followed.read()
        except ArtifactMissingError:
            if path is not None:
                raise
            predictor = None
        return cls(predictor, policy=policy, newcomers=Newcomers.load())._following(followed)

    @property
    def predictor(self) -> Predictor | None:
        """The predictor that serves now; None before anything was learned."""
        return self._serving.predictor

    @property
    def challenger(self) -> Predictor | None:
        """The predictor that wants to serve; None where there is none."""
        return self._challenger

    @property
    def folder(self) -> Path | None:
        """Where `reload` and `refresh` find a newer predictor."""
        return None if self._followed is None else self._followed.folder

    @property
    def problem(self) -> str:
        """Why the newest content of the folder does not serve; empty where it does."""
        return "" if self._followed is None else self._followed.problem

    @property
    def policy(self) -> Policy | None:
        """The policy that counts now."""
        return self._policy

    @property
    def candidates(self) -> tuple[str, ...]:
        """The candidates that can be chosen: those configured, else those of the predictor, cheapest first."""
        policy, predictor = self._policy, self._serving.predictor
        if policy is not None:
            learned = predictor.candidates if predictor is not None else ()
            return tuple(candidate.name for candidate in policy.candidates(None, learned))
        return predictor.candidates if predictor is not None else ()

    def configure(self, policy: Policy) -> None:
        """Follow another policy from the next request on; a request under way keeps the one it began with."""
        self._policy = policy

    def challenge(self, predictor: Predictor | None) -> None:
        """Let this one stand beside the predictor that serves, from the next request on; None for nobody."""
        self._challenger = predictor

    def reload(self) -> bool:
        """Read the folder again. A folder that cannot be served leaves the old predictor serving.

        Returns:
            Whether the new predictor serves now; the reason why not is logged as a warning.
        """
        if self._followed is None:
            return False
        with self._reloading:
            try:
                self._serve(self._followed.read())
            except ArtifactError as error:
                logger.warning("keeping the predictor that serves: %s", error)
                return False
        return True

    def refresh(self) -> bool:
        """Read the folder again if another predictor was put there since; cheap where none was.

        Returns:
            Whether another predictor serves now. One that cannot be served is logged as a warning, once.
        """
        if self._followed is None:
            return False
        with self._reloading:
            found = self._followed.newer()
            if found is not None:
                self._serve(found)
        return found is not None

    def route(
        self,
        request: RequestLike,
        preference: str | float | ExchangeRates | None = None,
        *,
        hints: Hints = NO_HINTS,
        snapshot: Snapshot | None = None,
        wish: Wish | None = None,
        pinned: bool = False,
    ) -> Decision:
        """Decide which candidate should take a request.

        Args:
            request: a prompt, a list of chat messages, or a `Request`.
            preference: fast, balanced, quality, the exchange rate itself (see `policy.utility`), or what a second and a
                cent are worth; by default the configured one, else balanced.
            hints: conversation, user and headers.
            snapshot: what is known of providers and candidates now; None plans without.
            wish: moves candidates inside the ranking before anything is drawn; counts under a configuration only.
            pinned: neither explore nor leave it to a challenger.

        Raises:
            RequestError: nothing to route, a wrong type, or an unknown preference.
            NoCandidateError: no candidate can serve this; with the reason of each.
        """
        request = Request.of(request)
        if not request.prompt.strip() and not any(message.images for message in request.messages):
            raise RequestError("the prompt is empty; give at least one character that is not white space")
        # Read once: a reload in between must not mix two.
        (predictor, tempo), challenger, policy = self._serving, self._challenger, self._policy
        features = extract(request)
        prediction, learned = None, None
        if predictor is not None:
            prediction = predictor.predict(features)
            if policy is not None:
                seconds, tokens = predictor.learned_seconds(prediction), predictor.learned_tokens(prediction)
                learned = Learned(seconds, tokens, tempo)
        case = Case(request, features, predictor, prediction, preference, hints, self._newcomers, learned)
        if policy is not None:
            return policy.decide(case, self._conversations, snapshot, challenger=challenger, wish=wish, pinned=pinned)
        assert predictor is not None and prediction is not None
        return plain.decide(case, predictor, prediction)

    def answered(self, conversation: str, candidate: str) -> None:
        """Another candidate than the chosen one answered in the end; the next turn should know."""
        self._conversations.correct(conversation, candidate)

    def took(self, decision: Decision, tried: Sequence[Tried]) -> None:
        """What the candidates that were asked took; the next decisions should know."""
        serving = self._serving
        who = decision.predictor
        if who is not None and (who is serving.predictor or who is self._challenger):
            serving.tempo.took(decision.ranking, tried)

    def _following(self, followed: Followed) -> Router:
        self._followed = followed
        return self

    def _serve(self, predictor: Predictor) -> None:
        self._serving, self.since = _Serving(predictor, Tempo()), time.time()
