"""Who is asked next: the order of the decision, what a failure says of others, who is worth asking for an untrusted answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.execution.fakes import ranked

from turnout.errors import (
    AuthenticationError,
    BusyError,
    CircuitOpenError,
    ContextOverflowError,
    InternalError,
    ProviderError,
    UnreachableError,
)
from turnout.execution.plan import MIN_GAIN, Plan
from turnout.types import Ranked


def plan(*ranking: Ranked, max_attempts: int = 9, **windows: int | None) -> Plan:
    """A plan whose candidates are listed from the cheapest to the most expensive; windows by the part after the slash."""
    names = [entry.candidate for entry in ranking]
    return Plan(
        ranking,
        strength={name: at for at, name in enumerate(names)},
        window=lambda name: windows.get(name.partition("/")[2]),
        max_attempts=max_attempts,
    )


def of(*names: str, **options: int | None) -> Plan:
    return plan(*map(ranked, names), **options)  # type: ignore[arg-type]


def nothing(_: str) -> str:
    return ""


def name(entry: Ranked | None) -> str | None:
    return entry.candidate if entry is not None else None


def rest(made: Plan, problem: Callable[[str], str] = nothing) -> list[str]:
    """Everybody who would be asked after one failure after the other."""
    found = []
    while (entry := made.fallback(problem)) is not None:
        found.append(entry.candidate)
    return found


# Fallback


def test_the_order_of_the_decision_is_the_order_of_the_attempts() -> None:
    made = of("a/1", "b/1", "c/1")
    assert name(made.first()) == "a/1" and rest(made) == ["b/1", "c/1"]


def test_nobody_is_asked_twice_whatever_he_is_asked_for() -> None:
    made = plan(ranked("a/1", 0.2), ranked("b/1", 0.9), ranked("c/1", 0.8))
    made.first()
    assert name(made.better(0.1, left_s=99, problem=nothing)) == "b/1"
    assert rest(made) == ["c/1"] and made.better(0.0, left_s=99, problem=nothing) is None


def test_the_number_of_attempts_bounds_fallbacks_and_escalations_together() -> None:
    made = plan(*(ranked(f"p{at}/1", 0.9) for at in range(9)), max_attempts=3)
    made.first()
    assert made.better(0.1, left_s=99, problem=nothing) is not None
    assert made.fallback(nothing) is not None
    assert made.fallback(nothing) is None and made.better(0.1, left_s=99, problem=nothing) is None
    assert made.next_expected_s(nothing) is None


def test_who_cannot_be_asked_now_is_passed_over_but_not_forgotten() -> None:
    made = of("a/1", "b/1", "c/1")
    made.first()
    problems = {"b/1": "left alone after failures"}
    assert name(made.fallback(lambda candidate: problems.get(candidate, ""))) == "c/1"
    assert made.fallback(lambda candidate: problems.get(candidate, "")) is None
    problems.clear()
    assert name(made.fallback(lambda candidate: problems.get(candidate, ""))) == "b/1"


@pytest.mark.parametrize("error", [UnreachableError("gone"), AuthenticationError("no")])
def test_what_fails_a_whole_provider_puts_its_others_last(error: ProviderError) -> None:
    made = of("a/1", "a/2", "b/1", "a/3", "c/1")
    made.first()
    made.failed("a/1", error)
    assert rest(made) == ["b/1", "c/1", "a/2", "a/3"]


@pytest.mark.parametrize("error", [InternalError("it broke"), BusyError("busy"), CircuitOpenError("open")])
def test_what_fails_one_candidate_leaves_the_order(error: ProviderError) -> None:
    made = of("a/1", "a/2", "b/1")
    made.first()
    made.failed("a/1", error)
    assert rest(made) == ["a/2", "b/1"]


def test_providers_of_similar_names_are_not_taken_for_one() -> None:
    made = of("a/1", "ab/1", "a/x/y", "b/1")
    made.first()
    made.failed("a/1", UnreachableError("gone"))
    assert rest(made) == ["ab/1", "b/1", "a/x/y"]


# Overflow


def test_after_an_overflow_only_a_larger_window_will_do() -> None:
    windows: dict[str, int | None] = {"8k": 8192, "4k": 4096, "also8k": 8192, "32k": 32_768}
    made = of("p/8k", "p/4k", "p/also8k", "p/32k", **windows)
    made.first()
    made.failed("p/8k", ContextOverflowError("too long"))
    assert rest(made) == ["p/32k"]


def test_an_unknown_window_is_asked_after_an_overflow_for_it_may_be_large() -> None:
    made = of("p/8k", "p/unknown", "p/silent", **{"8k": 8192, "silent": None})
    made.first()
    made.failed("p/8k", ContextOverflowError("too long"))
    assert rest(made) == ["p/unknown", "p/silent"]


def test_an_overflow_of_an_unknown_window_tells_nothing_of_the_others() -> None:
    made = of("p/unknown", "p/4k", **{"4k": 4096})
    made.first()
    made.failed("p/unknown", ContextOverflowError("too long"))
    assert rest(made) == ["p/4k"]


def test_the_largest_window_that_overflowed_counts() -> None:
    made = of("p/32k", "p/8k", "p/16k", "p/64k", **{"8k": 8192, "16k": 16_384, "32k": 32_768, "64k": 65_536})
    made.first()
    made.failed("p/32k", ContextOverflowError("too long"))
    made.failed("p/8k", ContextOverflowError("too long"))
    assert rest(made) == ["p/64k"]


def test_an_untrusted_answer_is_not_taken_to_a_window_that_is_known_to_be_too_small() -> None:
    made = plan(
        ranked("p/8k", 0.5), ranked("p/32k", 0.3), ranked("p/4k", 0.9), **{"8k": 8192, "32k": 32_768, "4k": 4096}
    )
    made.first()
    made.failed("p/8k", ContextOverflowError("too long"))
    assert name(made.fallback(nothing)) == "p/32k"
    assert made.better(0.1, left_s=99, problem=nothing) is None


# Somebody better


def test_the_most_useful_is_asked_for_an_untrusted_answer_not_the_next_in_order() -> None:
    made = plan(ranked("a/1", 0.5), ranked("b/1", 0.7), ranked("c/1", 0.9))
    made.first()
    assert name(made.better(0.5, left_s=99, problem=nothing)) == "c/1"


def test_a_gain_that_costs_more_than_it_is_worth_is_left() -> None:
    made = plan(ranked("a/1", 0.75), ranked("b/1", 0.9, expense=0.15))
    made.first()
    assert made.better(0.75, left_s=99, problem=nothing) is None
    assert name(made.better(0.74, left_s=99, problem=nothing)) == "b/1"


def test_between_two_that_are_worth_it_expense_decides() -> None:
    made = plan(ranked("a/1", 0.3), ranked("dear/1", 0.95, expense=0.4), ranked("cheap/1", 0.85, expense=0.1))
    made.first()
    assert name(made.better(0.2, left_s=99, problem=nothing)) == "cheap/1"


def test_the_expense_of_whom_nothing_was_learned_does_not_count() -> None:
    new = replace(ranked("new/1", 0.8, expense=0.4), learned=False)
    made = plan(ranked("a/1", 0.5), ranked("b/1", 0.8, expense=0.1), new)
    made.first()
    assert name(made.better(0.5, left_s=99, problem=nothing)) == "new/1"


def test_between_equal_utilities_the_stronger_is_asked() -> None:
    made = plan(ranked("a/1", 0.5), ranked("b/1", 0.9), ranked("c/1", 0.9), ranked("d/1", 0.9))
    made.first()
    assert name(made.better(0.5, left_s=99, problem=lambda n: "busy" if n == "d/1" else "")) == "c/1"


def test_a_candidate_whose_strength_nobody_knows_is_the_weakest() -> None:
    made = Plan(
        (ranked("a/1"), ranked("new/1", 0.9), ranked("b/1", 0.9)),
        strength={"b/1": 0},
        window=lambda _: None,
        max_attempts=9,
    )
    made.first()
    assert name(made.better(0.5, left_s=99, problem=nothing)) == "b/1"


def test_a_gain_smaller_than_what_the_figures_can_tell_is_not_worth_asking() -> None:
    made = plan(ranked("a/1", 0.5), ranked("b/1", 0.5 + MIN_GAIN - 0.001))
    made.first()
    assert made.better(0.5, left_s=99, problem=nothing) is None
    assert name(made.better(0.5 - 0.002, left_s=99, problem=nothing)) == "b/1"


def test_who_would_take_longer_than_what_is_left_is_not_asked() -> None:
    made = plan(ranked("a/1"), ranked("slow/1", 0.95, 30.0), ranked("quick/1", 0.9, 5.0))
    made.first()
    assert name(made.better(0.2, left_s=20.0, problem=nothing)) == "quick/1"
    assert made.better(0.2, left_s=20.0, problem=nothing) is None


def test_whose_seconds_nobody_knows_is_asked() -> None:
    made = plan(ranked("a/1"), ranked("new/1", 0.95, None))
    made.first()
    assert name(made.better(0.2, left_s=1.0, problem=nothing)) == "new/1"


def test_when_no_time_is_left_nobody_is_asked() -> None:
    made = plan(ranked("a/1"), ranked("new/1", 0.95, None))
    made.first()
    assert made.better(0.2, left_s=0.0, problem=nothing) is None


# What the next one would take


def test_the_seconds_of_the_next_in_order_are_told() -> None:
    made = plan(ranked("a/1", 0.8, 1.0), ranked("b/1", 0.8, 7.0), ranked("c/1", 0.8, 3.0))
    assert made.next_expected_s(nothing) == 1.0
    made.first()
    assert made.next_expected_s(nothing) == 7.0
    made.fallback(nothing)
    made.fallback(nothing)
    assert made.next_expected_s(nothing) is None


def test_the_seconds_of_a_window_that_is_too_small_do_not_count() -> None:
    made = plan(
        ranked("p/8k"), ranked("p/4k", 0.8, 7.0), ranked("p/32k", 0.8, 3.0), **{"8k": 8192, "4k": 4096, "32k": 32_768}
    )
    made.first()
    made.failed("p/8k", ContextOverflowError("too long"))
    assert made.next_expected_s(nothing) == 3.0


def test_the_seconds_of_whom_nobody_can_ask_now_do_not_count() -> None:
    made = plan(ranked("a/1"), ranked("b/1", 0.8, 7.0), ranked("c/1", 0.8, 3.0))
    made.first()
    assert made.next_expected_s(lambda candidate: "busy" if candidate == "b/1" else "") == 3.0
    assert made.next_expected_s(lambda _: "busy") is None


def test_the_seconds_are_of_whom_a_fallback_would_take() -> None:
    made = plan(ranked("a/1"), ranked("a/2", 0.8, 7.0), ranked("b/1", 0.8, 3.0))
    made.first()
    made.failed("a/1", UnreachableError("gone"))
    assert made.next_expected_s(nothing) == 3.0 and name(made.fallback(nothing)) == "b/1"


# Whatever happens

errors = st.sampled_from(
    [UnreachableError("a"), ContextOverflowError("b"), InternalError("c"), AuthenticationError("d")]
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("fallback"), errors, st.sets(st.integers(0, 7))),
        st.tuples(st.just("better"), st.floats(0, 1), st.floats(0, 60)),
    ),
    max_size=12,
)


@given(
    chances=st.lists(st.tuples(st.floats(0, 1), st.none() | st.floats(0, 60)), min_size=1, max_size=8),
    windows=st.lists(st.none() | st.integers(1, 5), min_size=8, max_size=8),
    max_attempts=st.integers(1, 10),
    happens=steps,
)
def test_a_plan_asks_everybody_at_most_once_and_never_more_than_allowed(
    chances: list[tuple[float, float | None]],
    windows: list[int | None],
    max_attempts: int,
    happens: list[tuple[str, object, object]],
) -> None:
    ranking = [ranked(f"p{at % 3}/{at}", p, seconds) for at, (p, seconds) in enumerate(chances)]
    known = {entry.candidate: window for entry, window in zip(ranking, windows, strict=False)}
    made = Plan(ranking, strength={}, window=known.get, max_attempts=max_attempts)
    asked = [made.first().candidate]
    needs = 0
    for kind, what, more in happens:
        if kind == "fallback":
            assert isinstance(what, ProviderError) and isinstance(more, set)
            made.failed(asked[-1], what)
            if isinstance(what, ContextOverflowError):
                needs = max(needs, known[asked[-1]] or 0)
            out = {ranking[at].candidate for at in more if at < len(ranking)}
            entry = made.fallback(lambda n, out=out: "out" if n in out else "")  # type: ignore[misc]
            if entry is not None:
                assert entry.candidate not in out
                assert not needs or (known[entry.candidate] or needs + 1) > needs
        else:
            assert isinstance(what, float) and isinstance(more, float)
            entry = made.better(what, left_s=more, problem=nothing)
            if entry is not None:
                assert entry.p_success >= what + MIN_GAIN and entry.utility > what and (entry.expected_s or 0.0) < more
                assert not needs or (known[entry.candidate] or needs + 1) > needs
        if entry is not None:
            asked.append(entry.candidate)
        assert len(set(asked)) == len(asked) <= max_attempts
