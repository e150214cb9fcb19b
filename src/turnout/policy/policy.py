"""One configuration, compiled: its candidates, its rules over them, its search for secrets. Never changes."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from turnout.config.loader import load
from turnout.config.schema import Configuration, fingerprint
from turnout.policy.candidates import Candidate
from turnout.policy.case import Case
from turnout.policy.conversations import Conversations
from turnout.policy.decide import decide
from turnout.policy.moment import Moment
from turnout.policy.pool import Pool, cheapest_first
from turnout.policy.privacy import SecretScanner
from turnout.policy.rules import RuleBook
from turnout.policy.standings import standings
from turnout.types import Decision, Snapshot


class Policy:
    """What a router follows. A changed configuration is another policy, swapped in one step.

    Raises:
        ConfigurationError: a rule's condition is refused, or a pattern of the user's could hurt.
    """

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
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
        self._moment: Moment | None = None

    @classmethod
    def load(cls, path: str | PathLike[str] | None = None) -> Policy:
        """Read, check and compile a configuration file; without a path the one that the loader finds.

        Raises:
            ConfigurationError: the file cannot be read or is not valid; every problem with its line.
        """
        return cls(load(None if path is None else Path(path)).configuration)

    def decide(self, case: Case, conversations: Conversations, snapshot: Snapshot | None) -> Decision:
        """See `Router.route`.

        Raises:
            RequestError: an unknown preference.
            NoCandidateError: no candidate can serve this; with the reason of each.
        """
        learned = case.predictor.candidates if case.predictor is not None else ()
        return decide(case, self.moment(snapshot, learned), conversations)

    def moment(self, snapshot: Snapshot | None, learned: Sequence[str] = ()) -> Moment:
        """What is the same for all decisions with one snapshot and one predictor; the last one is kept."""
        known = self._moment  # read once: another thread may put another one in its place
        if known is None or known.snapshot is not snapshot or known.learned is not learned:
            candidates = self.candidates(snapshot, learned)
            rules = self.rules(candidates, learned)
            known = self._moment = Moment(
                snapshot,
                learned,
                standings(candidates, snapshot, self.configuration.resources),
                rules,
                rules.seen(snapshot),
                self.configuration,
                self.fingerprint,
            )
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
