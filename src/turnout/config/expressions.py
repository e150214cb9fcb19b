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
from types import MappingProxyType
from typing import Any, Final

import cel

from turnout.config.expression_reader import FUNCTIONS, ExpressionError, Reading, tokens_of
from turnout.config.expression_variables import ALIASES, VARIABLES, samples

__all__ = ["ALIASES", "VARIABLES", "CompiledRule", "ExpressionError", "compile_rule"]

logger = logging.getLogger(__name__)

MAX_EVALUATION_S: Final = 0.001
"""On the largest sample, the best of three. An ordinary condition takes a thousandth of it."""

_PLACE: Final = re.compile(r"<input>:(\d+):(\d+): ([^\n]{1,200}?)(?: expecting [^\n]*)?(?:\n|$)")
_CAUSES: Final[Mapping[type[BaseException], str]] = {
    KeyError: "it asks for a key that is not there (has(...) tells)",
    IndexError: "it asks for a position that is not there",
    TypeError: "it compares or combines values of different types, or one that is absent",
    ZeroDivisionError: "it divides by zero",
    OverflowError: "a number grows too large",
    RuntimeError: "a function gets a value that it cannot work on",
}


@dataclass(slots=True)
class _Trouble:
    """How often a condition failed at run time."""

    count: int = 0


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A condition that is safe to evaluate.

    `variables` are the names it reads, aliases resolved. Maps among them are read by `paths`, each under one name of its
    own, or `whole`: with the entries that are asked for, None for any. `members` are all names behind dots and in
    brackets. A context for `evaluate` holds the variables that are no maps, the paths, and the whole maps.
    """

    source: str
    variables: frozenset[str]
    paths: Mapping[str, tuple[str, ...]]
    whole: Mapping[str, frozenset[str] | None]
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

    def fail_for_absence(self) -> bool:
        """What `evaluate` comes to where a value is absent that is compared with nothing else beside it: false."""
        self._fail(_CAUSES[TypeError])
        return False

    def _fail(self, why: str) -> None:
        # The message of the engine may quote values of a request, and so is not logged.
        self._trouble.count += 1
        if self._trouble.count == 1:
            absent = any(path[0] in ("header", "resources") for path in self.paths.values())
            level = (
                logging.DEBUG if absent else logging.WARNING
            )  # a hint or a graphics card that is not there is no fault
            logger.log(
                level, "the condition of rule %r counts as false where it fails: %s", self.name or self.source, why
            )


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
    try:
        cel.compile(text)  # so that places in a complaint are those of the text
        program = cel.compile(read.plain(text))
        found = program.references()
    except BaseException as error:
        _pass_on_what_is_not_cel(error)
        raise ExpressionError(_parse_problem(str(error))) from None
    # The engine's own reading has the last word, should it ever differ from the one above.
    strange = set(found["variables"]) - read.variables - read.bound - read.paths.keys()
    strange |= {entry for entry in found["functions"] if entry[0].isalpha()} - FUNCTIONS
    if strange:
        raise ExpressionError(f"{', '.join(sorted(strange))} cannot stand in a condition")
    _try(program, read, {"provider": providers or (), "candidate": candidates or ()})
    return CompiledRule(
        text,
        frozenset(read.variables),
        MappingProxyType(read.paths),
        MappingProxyType(read.whole),
        frozenset(read.members),
        name,
        _program=program,
    )


def _parse_problem(message: str) -> str:
    found = _PLACE.search(message)
    return f"column {found[2]}: {found[3]}" if found else "it does not parse"


def _try(program: cel.Program, read: Reading, known: Mapping[str, Collection[str]]) -> None:
    """Evaluate on samples, the largest first: quick enough, true or false, and not failing on all of them."""
    failed, worked = "", False
    named = {name: {path[1] for path in read.paths.values() if path[0] == name} for name in read.asked}
    asked = {name: named[name] | (entries or frozenset()) for name, entries in read.asked.items()}
    for number, sample in enumerate(samples(read.variables, asked, read.literals, known)):
        context = cel.Context(sample | {name: _follow(sample, path) for name, path in read.paths.items()})
        took_s = 1.0
        for _ in range(3 if number == 0 else 1):
            started = time.perf_counter()
            result: object = None
            try:
                result = program.execute(context)
            except BaseException as error:
                _pass_on_what_is_not_cel(error)
                if not isinstance(error, KeyError | IndexError):
                    failed = _CAUSES.get(type(error), "it cannot be evaluated")
                result = False if isinstance(error, KeyError | IndexError) else None
            took_s = min(took_s, time.perf_counter() - started)
        if number == 0 and took_s > MAX_EVALUATION_S:
            raise ExpressionError(f"it takes {took_s * 1e3:.1f} ms on a large request; ask for less, or split the rule")
        if result is None and not failed:
            failed = "its result is nothing"
        if result is not None and not isinstance(result, bool):
            raise ExpressionError(f"its result is {_shape(result)}; a condition is true or false")
        worked = worked or result is not None
        # Types are the same in every request, but for a preference, which may be a word or a number.
        if failed == _CAUSES[TypeError] and "preference" not in read.variables:
            raise ExpressionError(f"it fails: {failed}")
    if failed and not worked:
        raise ExpressionError(f"it always fails: {failed}")


def _follow(values: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = values
    for name in path:
        found = found.get(name)
    return found


def _shape(result: object) -> str:
    if isinstance(result, int | float):
        return "a number"
    for kind, words in ((str, "text"), (list, "a list"), (dict, "a map")):
        if isinstance(result, kind):
            return words
    return "something else"
