"""Conditions of rules in the Common Expression Language (https://github.com/google/cel-spec), made safe to run.

Nothing can interrupt an evaluation, so what could hurt is refused before anything is parsed or run: deep nesting (the
parser's stack is the process's stack), comprehensions inside comprehensions, `matches` (the engine compiles its pattern
at every call: 60 microseconds for a plain one, seconds for a hostile one). What is left is tried on samples, the largest
of which is as large as facts can get.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import cel

from turnout.config.problems import nearest
from turnout.config.variables import ALIASES, MAX_ENTRIES, VARIABLES, samples
from turnout.errors import ConfigurationError

logger = logging.getLogger(__name__)

MAX_EVALUATION_S: Final = 0.001
"""On the largest sample, the best of three. An ordinary condition takes a thousandth of it."""

_PLACE: Final = re.compile(r"<input>:(\d+):(\d+): ([^\n]{1,200}?)(?: expecting [^\n]*)?(?:\n|$)")
_CAUSES: Final = {
    KeyError: "it asks for a key that is not there (has(...) tells)",
    IndexError: "it asks for a position that is not there",
    TypeError: "it compares or combines values of different types",
    ZeroDivisionError: "it divides by zero",
    OverflowError: "a number grows too large",
}


@dataclass(slots=True)
class _Trouble:
    """How often a condition failed at run time."""

    count: int = 0


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A condition that is safe to evaluate.

    `variables` are the names it reads, aliases resolved. `entries` are the names it asks a map for, of maps with names
    of their own (provider, candidate, header): None where it can ask for any. `members` are all names behind a dot or
    in brackets.
    """

    source: str
    variables: frozenset[str]
    entries: Mapping[str, frozenset[str] | None]
    members: frozenset[str]
    name: str = ""
    _program: cel.Program = field(repr=False, compare=False, kw_only=True)
    _trouble: _Trouble = field(default_factory=_Trouble, repr=False, compare=False, kw_only=True)

    @property
    def failures(self) -> int:
        """How often it failed at run time, and so counted as false."""
        return self._trouble.count

    def evaluate(self, context: cel.Context) -> bool:
        """Whether the condition holds. One that fails is false, is counted, and says so once in the log."""
        try:
            result = self._program.execute(context)
        except BaseException as error:
            _pass_on_what_is_not_cel(error)
            self._fail(_CAUSES.get(type(error), "it cannot be evaluated"))
            return False
        if result is True or result is False:
            return bool(result)
        self._fail("its result is neither true nor false")
        return False

    def _fail(self, why: str) -> None:
        # The message of the engine may quote values of a request, and so is not logged.
        self._trouble.count += 1
        if self._trouble.count == 1:
            logger.warning("the condition of rule %r counts as false where it fails: %s", self.name or self.source, why)


def _pass_on_what_is_not_cel(error: BaseException) -> None:
    """Raise again what does not come from the engine, whose own panics are no `Exception`."""
    if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
        raise error


def compile_rule(
    text: str, *, name: str = "", providers: Collection[str] | None = None, candidates: Collection[str] | None = None
) -> CompiledRule:
    """Check a condition and compile it.

    Args:
        text: the condition, in the Common Expression Language over `VARIABLES`.
        name: of its rule, for the log.
        providers: those that there are; None where nobody knows yet.
        candidates: likewise.

    Raises:
        ExpressionError: it does not parse, names what is unknown, cannot be true or false, or could take long.
    """
    tokens = tokens_of(text)
    read = Reading(tokens, {"provider": providers, "candidate": candidates})
    read.walk()
    plain = _without_aliases(text, tokens, read.aliases)
    try:
        program = cel.compile(plain)
        found = program.references()
    except BaseException as error:
        _pass_on_what_is_not_cel(error)
        raise ExpressionError(_parse_problem(str(error), tokens)) from None
    # The engine's own reading has the last word, should it ever differ from the one above.
    strange = set(found["variables"]) - read.variables - read.bound
    strange |= {entry for entry in found["functions"] if entry[0].isalpha()} - FUNCTIONS
    if strange:
        raise ExpressionError(f"{', '.join(sorted(strange))} cannot stand in a condition")
    rule = CompiledRule(text, frozenset(read.variables), read.entries, frozenset(read.members), name, _program=program)
    _try(program, rule, read.literals, (providers or (), candidates or ()))
    return rule
