"""What is expected of language models by what they are: more of larger ones, less certain of stranger ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.learning.base.world import BETWEEN, SEEN, World

from turnout.descriptors import Descriptor, describe
from turnout.predictor.ability import COORDINATES, Abilities, Covariance, Names, covariance, encode
from turnout.predictor.prior import DOMAINS

NAMES = (*SEEN, *BETWEEN, "mistral:7b", "gpt-4o", "claude-3-5-sonnet", "deepseek-r1:7b", "qwen2.5-coder:7b", "nobody")


@pytest.fixture(scope="module")
def abilities(world: World) -> Abilities:
    return world.base.abilities


def expected(abilities: Abilities, *names: str) -> NDArray[np.float64]:
    return abilities.of([describe(name) for name in names])[0]


def spread(abilities: Abilities, name: str) -> NDArray[np.float64]:
    """Standard deviation in each domain."""
    (found,) = abilities.of([describe(name)])[1]
    return np.sqrt(np.diag(found))


def coordinate(descriptor: Descriptor, name: str) -> float:
    return float(encode(descriptor)[COORDINATES.index(name)])


# Coordinates


def test_a_mixture_of_experts_lies_between_its_active_and_its_total_parameters() -> None:
    mixture = Descriptor(family="mistral", parameters_b=100.0, active_parameters_b=1.0)
    assert coordinate(mixture, "size") == pytest.approx(1.0)
    assert coordinate(replace(mixture, active_parameters_b=None), "size") == pytest.approx(2.0)


def test_where_no_size_is_published_its_makers_word_for_it_counts() -> None:
    small, medium, large = (coordinate(Descriptor(tier=tier), "size") for tier in ("small", "medium", "large"))
    assert small < coordinate(Descriptor(), "size") == medium < large
    assert coordinate(Descriptor(tier="small"), "published") == 0
    assert coordinate(Descriptor(parameters_b=7.0), "published") == 1


def test_more_effort_is_more_reasoning_and_instructions_need_none() -> None:
    low, high = (coordinate(Descriptor(effort=effort), "reasoning") for effort in ("low", "high"))
    assert 0 < low < high
    assert coordinate(Descriptor(variant="reasoning"), "reasoning") > 0
    assert coordinate(Descriptor(variant="instruct", instruct=True), "reasoning") == 0


def test_what_is_unknown_is_marked_and_not_guessed() -> None:
    nobody = encode(describe("nobody"))
    assert np.isfinite(nobody).all()
    assert nobody[COORDINATES.index("undated")] == 1 and nobody[COORDINATES.index("date")] == 0
    assert 0 < nobody[COORDINATES.index("instruct")] < 1


# The covariance


@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=8), st.floats(0, 1))
def test_abilities_covary_as_numbers_can(names: list[str], between: float) -> None:
    points = Names().points([describe(name) for name in names], learn=True)
    shared, single = covariance(points, points, Covariance(between=between))
    for matrix in (shared, single):
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-9)
        assert np.linalg.eigvalsh(matrix).min() > -1e-9


def test_siblings_share_more_than_strangers() -> None:
    qwen, sibling, cousin, stranger = (
        describe(name) for name in ("qwen2.5:7b", "qwen2.5:14b", "qwen3:14b", "gemma2:9b")
    )
    points = Names().points([qwen, sibling, replace(sibling, generation="1"), replace(sibling, family="x")], learn=True)
    shared, single = covariance(points, points, Covariance())
    whole = shared + single
    assert whole[0, 1] > whole[0, 2] > whole[0, 3]
    assert cousin != sibling != stranger


def test_domains_have_all_in_common_or_nothing() -> None:
    points = Names().points([describe(name) for name in NAMES], learn=True)
    assert not covariance(points, points, Covariance(between=1.0))[1].any()
    assert not covariance(points, points, Covariance(between=0.0))[0].any()


def test_hyperparameters_survive_the_way_through_json_and_what_is_newer_is_ignored() -> None:
    parts = Covariance(smooth=0.25, own=0.125)
    assert Covariance.of(parts.to_json() | {"from the future": "x"}) == parts
    values = parts.to_json()
    del values["own"]
    with pytest.raises(KeyError, match="own"):
        Covariance.of(values)


@pytest.mark.parametrize(
    "wrong", [{"smooth": -1.0}, {"size_length": 0.0}, {"between": 1.1}, {"own": np.nan}, {"noise": np.inf}]
)
def test_hyperparameters_that_are_none_are_told(wrong: dict[str, float]) -> None:
    assert Covariance().sound and not replace(Covariance(), **wrong).sound


# Names


def test_names_are_learned_only_while_training() -> None:
    names = Names()
    first = names.points([describe("qwen2.5:7b")], learn=True)
    asked = names.points([describe("qwen2.5:7b"), describe("qwen2.5:14b"), describe("gemma2:9b")])
    assert asked.family.tolist() == [first.family[0], first.family[0], -1]
    assert asked.line.tolist() == [first.line[0], first.line[0], -1]
    assert asked.identity.tolist() == [first.identity[0], -1, -1]


def test_names_keep_their_numbers_through_json() -> None:
    names = Names()
    descriptors = [describe(name) for name in NAMES]
    learned = names.points(descriptors, learn=True)
    again = Names(names.to_json()).points(descriptors)
    for part in ("family", "line", "identity"):
        np.testing.assert_array_equal(getattr(again, part), getattr(learned, part))


def test_two_that_nothing_is_known_of_are_not_the_same() -> None:
    assert Names().points([describe("nobody"), describe("noone")], learn=True).identity.tolist() == [-1, -1]


def test_how_it_is_served_is_no_ability(abilities: Abilities) -> None:
    plain, quantised, elsewhere = expected(
        abilities, "qwen2.5:7b", "qwen2.5:7b-instruct-q4_K_M", "lmstudio/qwen2.5-7b-instruct"
    )
    np.testing.assert_allclose(quantised, plain, atol=0.05)
    np.testing.assert_allclose(elsewhere, plain, atol=0.05)


# What is expected


@pytest.mark.parametrize(
    "siblings",
    [
        ("qwen2.5:0.5b", "qwen2.5:3b", "qwen2.5:14b", "qwen2.5:72b"),
        ("llama3.2:1b", "llama3.2:3b"),
        ("gemma2:2b", "gemma2:9b", "gemma2:27b"),
        ("mistral:7b", "mistral-small:24b"),
    ],
    ids=lambda names: names[0],
)
def test_a_bigger_sibling_is_expected_to_be_abler(abilities: Abilities, siblings: tuple[str, ...]) -> None:
    assert (np.diff(expected(abilities, *siblings), axis=0) > 0).all()


@pytest.mark.parametrize(
    ("smaller", "unseen", "larger"),
    [("qwen2.5:7b", "qwen2.5:14b", "qwen2.5:32b"), ("gemma2:2b", "gemma2:9b", "gemma2:27b")],
)
def test_one_that_nobody_saw_stands_between_its_siblings(
    abilities: Abilities, smaller: str, unseen: str, larger: str
) -> None:
    low, middle, high = expected(abilities, smaller, unseen, larger)
    assert (low < middle).all() and (middle < high).all()


@pytest.mark.parametrize("stranger", ["qwen2.5:14b", "mistral:7b", "mystery:7b", "nobody", "llama3.3:70b"])
def test_one_that_nobody_saw_is_less_certain_than_one_that_was_seen(abilities: Abilities, stranger: str) -> None:
    assert spread(abilities, stranger).min() > max(spread(abilities, name).max() for name in SEEN)


def test_a_strange_family_is_less_certain_than_a_strange_member_of_a_known_one(abilities: Abilities) -> None:
    member = replace(describe("qwen2.5:7b"), version="another")
    stranger = replace(member, family="stranger")
    found = abilities.of([describe("qwen2.5:7b"), member, replace(member, generation="0"), stranger])[1][:, 0, 0]
    assert (np.diff(found) > 0).all()


def test_what_is_expected_of_one_does_not_hang_on_who_else_is_asked_about(abilities: Abilities) -> None:
    together = abilities.of([describe(name) for name in NAMES])
    for at, name in enumerate(NAMES):
        alone = abilities.of([describe(name)])
        np.testing.assert_allclose(alone[0][0], together[0][at], atol=1e-9)
        np.testing.assert_allclose(alone[1][0], together[1][at], atol=1e-9)


@given(
    size=st.none() | st.floats(0.01, 5000),
    released=st.none() | st.floats(2015, 2035),
    variant=st.sampled_from([None, "base", "instruct", "coder", "reasoning", "math", "tools", "vision", "embedding"]),
    family=st.sampled_from([None, "qwen", "stranger", "", "\ud800"]),
)
def test_anything_that_can_be_described_gets_a_finite_ability(
    abilities: Abilities, size: float | None, released: float | None, variant: str | None, family: str | None
) -> None:
    asked = Descriptor(family=family, parameters_b=size, nominal_b=size, released=released, variant=variant)  # type: ignore[arg-type]
    means, covariances = abilities.of([asked])
    assert means.shape == (1, len(DOMAINS)) and covariances.shape == (1, len(DOMAINS), len(DOMAINS))
    assert np.isfinite(means).all() and np.linalg.eigvalsh(covariances[0]).min() > -1e-9


def test_nobody_asked_about_is_nobody_told_of(abilities: Abilities) -> None:
    means, covariances = abilities.of([])
    assert means.shape == (0, len(DOMAINS)) and covariances.shape == (0, len(DOMAINS), len(DOMAINS))
