"""Couples and who is best alone, on beliefs that are made up: half of the prompts are easy for both."""

from __future__ import annotations

import numpy as np
import pytest

from turnout.advice.beliefs import Beliefs
from turnout.advice.couples import Couple, couples
from turnout.advice.profiles import Profile
from turnout.advice.worth import Scale, fits
from turnout.descriptors import Descriptor
from turnout.descriptors.speed import Likely

GB = 10**9


def profile(name: str, answer_s: float, *, memory: int | None = 5 * GB, here: bool = True) -> Profile:
    return Profile(
        name=name,
        descriptor=Descriptor(),
        here=here,
        memory=None if memory is None else Likely(float(memory)),
        tokens_per_s=Likely(10.0),
        answer_s=answer_s,
        load_s=4.0,
        measured=True,
        loaded=False,
        problem="",
    )


FAST, STRONG = profile("a/fast", 1.0), profile("a/strong", 5.0, memory=40 * GB)


def believed(gap: float, *, easy: float = 0.0) -> Beliefs:
    """The strong one gains `gap` on each second prompt, `easy` on the others."""
    gains = np.tile([easy, gap], 50)
    p = np.stack([0.9 - gains, np.full(100, 0.9)])
    return Beliefs((FAST.name, STRONG.name), np.repeat(p[None], 20, axis=0), p, frozenset())


def paired(beliefs: Beliefs, room: int | None = 100 * GB) -> tuple[tuple[Couple, ...], Scale]:
    scale = Scale((FAST, STRONG), beliefs, room)
    return couples((FAST, STRONG), beliefs, room, scale), scale


def test_two_that_differ_on_some_prompts_only_are_worth_more_than_either_alone() -> None:
    (couple,), scale = paired(believed(0.4))
    alone = scale.alone()
    assert alone is not None and couple.good and couple.worth > alone[1]
    assert couple.gap.median == pytest.approx(0.2) and couple.ratio == 5.0
    assert couple.share.median == pytest.approx(0.5 + 0.01 / 0.4, abs=0.011)


def test_two_that_differ_on_all_prompts_alike_are_no_good_couple() -> None:
    (couple,), scale = paired(believed(0.5, easy=0.5))
    assert not couple.good and scale.alone() == (STRONG.name, pytest.approx(couple.worth))


def test_two_that_do_not_differ_are_no_couple() -> None:
    found, scale = paired(believed(0.0))
    assert found == () and (scale.alone() or ("",))[0] == FAST.name


@pytest.mark.parametrize(
    ("room", "fit"), [(None, "together"), (45 * GB, "together"), (44 * GB, "in turn"), (9 * GB, "not")]
)
def test_memory_says_whether_both_can_be_loaded(room: int | None, fit: str) -> None:
    (couple,), _ = paired(believed(0.4), room)
    assert couple.fit == fit and (fit != "not" or not couple.good)


def test_changing_over_costs_what_loading_does() -> None:
    (together,), _ = paired(believed(0.4), 45 * GB)
    (changing,), _ = paired(believed(0.4), 44 * GB)
    assert together.worth - changing.worth == pytest.approx(0.15 * 0.25 * 8.0 / 5.0)


def test_what_runs_elsewhere_needs_no_room() -> None:
    away = profile("cloud/large", 2.0, memory=None, here=False)
    assert fits(away, 0) and not fits(STRONG, 39 * GB)
    beliefs = believed(0.4)
    renamed = Beliefs((FAST.name, away.name), beliefs.p, beliefs.expected, frozenset())
    scale = Scale((FAST, away), renamed, 10 * GB)
    assert (scale.alone() or ("",))[0] == away.name
    assert (scale.alone(here=True) or ("",))[0] == FAST.name
