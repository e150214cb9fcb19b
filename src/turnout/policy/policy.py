"""One configuration, compiled: its candidates, its rules over them, its search for secrets, what it leaves to chance."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Final, TypeAlias

from turnout.config.loader import load
from turnout.config.schema import Configuration, fingerprint
from turnout.policy.candidates import Candidate
from turnout.policy.case import Case
from turnout.policy.conversations import Conversations, Turn
from turnout.policy.decide import decide
from turnout.policy.drawing import Drawing
from turnout.policy.moment import Moment
from turnout.policy.pool import Pool, cheapest_first
from turnout.policy.privacy import SecretScanner
from turnout.policy.rules import RuleBook
from turnout.policy.standings import standings
from turnout.predictor import Predictor
from turnout.types import Decision, Snapshot
from turnout.types.tokens import likely_tokens

Wish: TypeAlias = Callable[[Decision], Decision]
"""Moves candidates inside a decision's ranking before anything is drawn."""

_MOST_MOMENTS: Final = 4


class Policy:
    """What a router follows. A changed configuration is another policy, swapped in one step.

    Args:
        configuration: the settings.
        chance: a number from 0 to under 1, another one each time, for exploration and the canary.

    Raises:
        ConfigurationError: a rule's condition is refused, or a pattern of the user's could hurt.
    """

    def __init__(self, configuration: Configuration, *, chance: Callable[[], float] = random.random) -> None:
        self.configuration = configuration
        self._drawing = Drawing(configuration.hybrid, chance)
        self.fingerprint = fingerprint(configuration)
        self.pool = Pool(configuration)
        privacy = configuration.privacy
        scanner = SecretScanner(privacy.patterns, privacy.max_scan_characters) if privacy.scan else None
        names = tuple(candidate.name for candidate in self.pool.candidates(None))
        book = RuleBook(
            configuration.routing.rules,
            names,
            providers=tuple(configuration.providers),
            scan=scanner.scan_request if scanner is not None else lambda _: (),
        )
        # None: not yet over the candidates of a request.
        self._rules: tuple[tuple[tuple[str, ...], Sequence[str]] | None, RuleBook] = (None, book)
        self._moments: dict[Sequence[str], Moment] = {}

    @classmethod
    def load(cls, path: str | PathLike[str] | None = None) -> Policy:
        """Read, check and compile a configuration file; without a path the one that the loader finds.

        Raises:
            ConfigurationError: the file cannot be read or is not valid; every problem with its line.
        """
        return cls(load(None if path is None else Path(path)).configuration)

    def decide(
        self,
        case: Case,
        conversations: Conversations,
        snapshot: Snapshot | None,
        *,
        challenger: Predictor | None = None,
        wish: Wish | None = None,
        pinned: bool = False,
    ) -> Decision:
        """See `Router.route`.

        Raises:
            RequestError: an unknown preference.
            NoCandidateError: no candidate can serve this; with the reason of each.
        """
        stay = self.configuration.routing.conversations
        conversation = case.hints.conversation if stay.enabled else ""
        turn = conversations.last(conversation, stay.forget_after_s) if conversation else None
        learned = case.predictor.candidates if case.predictor is not None else ()
        decision = _wished(case, self.moment(snapshot, learned), turn, wish)
        if not pinned:
            rival = None
            if challenger is not None and self.configuration.hybrid.challenger != "off":
                rival = partial(_rivals, case, challenger, self.moment(snapshot, challenger.candidates), turn, wish)
            decision = self._drawing.draw(decision, rival, conversation, begun=turn is not None)
        if conversation:
            chances = {entry.candidate: entry.p_success for entry in decision.ranking}
            conversations.note(conversation, decision.candidate, chances, likely_tokens(case.request))
        return decision

    def moment(self, snapshot: Snapshot | None, learned: Sequence[str] = ()) -> Moment:
        """What is the same for all decisions with one snapshot and one predictor; the last one of each is kept."""
        known = self._moments.get(learned)
        if known is None or known.snapshot is not snapshot:
            candidates = self.candidates(snapshot, learned)
            rules = self.rules(candidates, learned)
            known = Moment(
                snapshot,
                learned,
                standings(candidates, snapshot, self.configuration.resources),
                rules,
                rules.seen(snapshot),
                self.configuration,
                self.fingerprint,
            )
            if len(self._moments) >= _MOST_MOMENTS:
                self._moments = {}  # predictors come and go; another thread may hold the old one
            self._moments[learned] = known
        return known

    def candidates(self, snapshot: Snapshot | None, learned: Sequence[str] = ()) -> tuple[Candidate, ...]:
        """Those that are named, and those that their providers list; see `Pool.candidates`."""
        return self.pool.candidates(snapshot, learned)

    def rules(self, candidates: Sequence[Candidate], learned: Sequence[str] = ()) -> RuleBook:
        """The rules with their targets among these candidates; `fast` and `strong` are their cheaper and dearer half."""
        names = tuple(candidate.name for candidate in candidates)
        known, book = self._rules  # read once: another thread may put another pair in its place
        if known != (names, learned):
            order = cheapest_first(candidates, learned)
            half = (len(order) + 1) // 2
            book = book.with_candidates(names, {"fast": order[:half], "strong": order[half:] or order})
            self._rules = ((names, learned), book)
        return book


def _wished(case: Case, moment: Moment, turn: Turn | None, wish: Wish | None) -> Decision:
    decision = decide(case, moment, turn)
    return decision if wish is None else wish(decision)


def _rivals(case: Case, challenger: Predictor, moment: Moment, turn: Turn | None, wish: Wish | None) -> Decision:
    """The challenger's decision about the same request at the same moment."""
    own = case._replace(predictor=challenger, prediction=challenger.predict(case.features))
    return _wished(own, moment, turn, wish)
