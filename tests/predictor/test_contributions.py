"""The parts of a prediction add up to it, are Shapley values by definition, and carry names a person can read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from itertools import permutations
from json import dumps
from math import factorial
from time import process_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from turnout.errors import RequestError
from turnout.features import FEATURE_NAMES, Features, extract
from turnout.features.terms import name_buckets
from turnout.predictor import Predictor
from turnout.predictor.blend import blend_outputs
from turnout.predictor.calibration import Calibration
from turnout.predictor.contributions import EVERYTHING_ELSE, POINTS, Breakdown, contributions, tree_shapley
from turnout.predictor.feature_labels import FEATURE_LABELS, for_task
from turnout.predictor.fit import Fitted, TrainingData, fit
from turnout.predictor.linear import term_weights
from turnout.predictor.settings import FitSettings
from turnout.predictor.trees import LEAVES, TESTS, Forest

Matrix = NDArray[np.float32]
Plant = Callable[..., tuple[TrainingData, NDArray[np.bool_]]]

HARD = "please fix the deadlock of our quorum in the service"
EASY = "rename the variable and sort imports"


# Trees, against the definition


def by_definition(forest: Forest, vector: Matrix, reference: Matrix) -> NDArray[np.float64]:
    """The mean, over all orders in which features take their value of `vector`, of what each changes as it does."""
    values = np.zeros((len(forest.baseline), len(vector)))
    for order in permutations(range(len(vector))):
        row = reference.copy()
        before = forest.predict_one(row).astype(np.float64)
        for feature in order:
            row[feature] = vector[feature]
            after = forest.predict_one(row).astype(np.float64)
            values[:, feature] += after - before
            before = after
    return values / factorial(len(vector))


def random_forest(rng: np.random.Generator, n_trees: int, n_outputs: int, n_features: int) -> Forest:
    """Complete trees with repeated features, equal thresholds and padding; leaves are exact in float32 sums."""
    threshold = rng.integers(-2, 3, (n_trees * n_outputs, TESTS)).astype(np.float32)
    threshold[rng.random(threshold.shape) < 0.2] = np.inf
    return Forest(
        rng.integers(0, n_features, threshold.shape).astype(np.int32),
        threshold,
        (rng.integers(-64, 65, (len(threshold), LEAVES)) / 64).astype(np.float32),
        (rng.integers(-8, 9, n_outputs) / 8).astype(np.float32),
    )


def tree(tests: list[tuple[int, float]], leaves: list[float]) -> Forest:
    """One tree of one output from its tests, level by level, and its leaves."""
    feature, threshold = zip(*tests, strict=True)
    return Forest(
        np.array([feature], np.int32),
        np.array([threshold], np.float32),
        np.array([leaves], np.float32),
        np.array([0.25], np.float32),
    )


PAD = (0, np.inf)
ZEROS, ONES = np.zeros(4, np.float32), np.ones(4, np.float32)
STUMP = tree([(2, 0.5), *[PAD] * 6], [1, 0, 0, 0, 4, 0, 0, 0])
BOTH = tree([(1, 0.5), PAD, (3, 0.5), *[PAD] * 4], [0, 0, 0, 0, 0, 0, 6, 0])
ONE_OF_TWO = tree([(1, 0.5), (3, 0.5), (3, 0.5), *[PAD] * 4], [0, 0, 5, 0, 5, 0, 0, 0])
ALL_THREE = tree([(0, 0.5), PAD, (1, 0.5), PAD, PAD, PAD, (2, 0.5)], [0, 0, 0, 0, 0, 0, 0, 12])
TWICE = tree([(1, 0.5), PAD, (1, 1.5), PAD, PAD, (2, 0.5), PAD], [0, 0, 0, 0, 2, 8, 100, 0])


@given(st.integers(0, 10**6))
def test_values_are_shapley_values_by_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_features = int(rng.integers(1, 6))
    forest = random_forest(rng, int(rng.integers(1, 4)), int(rng.integers(1, 3)), n_features)
    vector, reference = rng.integers(-3, 4, (2, n_features)).astype(np.float32)
    expected = by_definition(forest, vector, reference)
    np.testing.assert_allclose(tree_shapley(forest, vector, reference), expected, atol=1e-9)


@given(st.integers(0, 10**6))
def test_values_of_any_forest_add_up_to_what_it_predicts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    forest = random_forest(rng, 80, 3, 30)
    vector, reference = rng.normal(0, 2, (2, 30)).astype(np.float32)
    values = tree_shapley(forest, vector, reference)
    np.testing.assert_allclose(
        values.sum(1), forest.predict_one(vector) - forest.predict_one(reference), atol=1e-5, rtol=0
    )
    np.testing.assert_allclose(tree_shapley(forest, reference, vector), -values, atol=1e-12)
    assert not tree_shapley(forest, vector, vector).any()


@pytest.mark.parametrize(
    ("forest", "vector", "expected"),
    [
        (STUMP, [1, 1, 1, 1], [0, 0, 3, 0]),
        (STUMP, [9, 9, 0, 9], [0, 0, 0, 0]),
        (BOTH, [1, 1, 1, 1], [0, 3, 0, 3]),
        (BOTH, [1, 1, 1, 0], [0, 0, 0, 0]),
        (ONE_OF_TWO, [1, 1, 1, 1], [0, 0, 0, 0]),
        (ONE_OF_TWO, [1, 1, 1, 0], [0, 5, 0, 0]),
        (ALL_THREE, [1, 1, 1, 1], [4, 4, 4, 0]),
        (TWICE, [0, 1, 1, 0], [0, 5, 3, 0]),
        (TWICE, [0, 2, 1, 0], [0, 100, 0, 0]),
    ],
    ids=[
        "a feature alone takes all",
        "features that no tree tests get nothing",
        "two that need each other share",
        "one of two that need each other gets nothing",
        "two that undo each other",
        "either of two",
        "three that need each other share",
        "a feature tested twice",
        "a feature that passes both of its tests",
    ],
)
def test_small_trees_share_as_they_should(forest: Forest, vector: list[float], expected: list[float]) -> None:
    row = np.array(vector, np.float32)
    np.testing.assert_allclose(tree_shapley(forest, row, ZEROS), [expected], atol=1e-12)
    np.testing.assert_allclose(by_definition(forest, row, ZEROS), [expected], atol=1e-12)


@given(st.integers(0, 10**6))
def test_dummies_get_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    forest = random_forest(rng, 5, 2, 4)
    vector, reference = rng.integers(-3, 4, (2, 6)).astype(np.float32)
    vector[1] = reference[1]
    values = tree_shapley(forest, vector, reference)
    assert not values[:, 4:].any(), "features that no tree tests"
    assert not values[:, 1].any(), "a feature at its reference"


@given(st.integers(0, 10**6))
def test_features_with_swapped_roles_get_swapped_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    forest = random_forest(rng, 4, 1, 4)
    vector, reference = rng.integers(-3, 4, (2, 4)).astype(np.float32)
    order = rng.permutation(4)
    renamed = replace(forest, feature=np.argsort(order).astype(np.int32)[forest.feature])
    values = tree_shapley(forest, vector, reference)
    np.testing.assert_allclose(tree_shapley(renamed, vector[order], reference[order]), values[:, order], atol=1e-12)


def test_values_of_trees_add_up_and_outputs_stay_apart() -> None:
    rng = np.random.default_rng(0)
    one, two = random_forest(rng, 3, 1, 4), random_forest(rng, 3, 1, 4)
    stack = {
        name: np.concatenate((getattr(one, name), getattr(two, name))) for name in ("feature", "threshold", "leaves")
    }
    rows = rng.integers(-3, 4, (2, 4)).astype(np.float32)
    alone = [tree_shapley(forest, *rows)[0] for forest in (one, two)]
    apart = Forest(**stack, baseline=np.zeros(2, np.float32))
    np.testing.assert_allclose(tree_shapley(apart, *rows), alone, atol=1e-12)
    together = Forest(**stack, baseline=np.zeros(1, np.float32))
    np.testing.assert_allclose(tree_shapley(together, *rows), [sum(alone)], atol=1e-12)


def test_padding_counts_for_nothing_even_where_its_column_is_tested() -> None:
    forest = tree([(0, 0.5), PAD, PAD, *[PAD] * 4], [1, 70, 70, 70, 3, 70, 70, 70])
    np.testing.assert_array_equal(tree_shapley(forest, ONES, ZEROS), [[2, 0, 0, 0]])


# Whole predictions


def score_of(predictor: Predictor, features: Features) -> NDArray[np.float32]:
    """The score before calibration, as `Predictor.predict` computes it."""
    linear, _ = predictor.ngrams.predict_one(features.buckets, features.counts)
    trees = predictor.forest.predict_one(features.vector)
    return blend_outputs(predictor.blend, linear @ predictor.to_outputs, trees) @ predictor.to_scores


def adds_up(predictor: Predictor, request: object) -> None:
    """Parts and base make the served score; every breakdown makes the served probability."""
    features = extract(request)
    found = contributions(predictor, features, request)
    served = predictor.predict(features).p_success
    np.testing.assert_allclose(found.base + found.parts.sum(0), score_of(predictor, features), atol=1e-5, rtol=0)
    np.testing.assert_array_equal(found.p_success, served)
    assert found.parts.shape == (len(found.labels), len(found.candidates)) and len(found.levels) == len(found.labels)
    assert np.isfinite(found.parts).all() and len(set(found.labels)) == len(found.labels)
    for told in (found.of(found.candidates[0]), found.difference(found.candidates[-1], found.candidates[0])):
        whole(told)
    assert found.of(found.candidates[-1]).success_points == pytest.approx(POINTS * served[-1])


def whole(told: Breakdown) -> None:
    total = told.base_points + sum(part.points for part in told.parts)
    assert total == pytest.approx(told.score_points, abs=1e-6)
    assert told.score_points + told.calibration_points == pytest.approx(told.success_points, abs=1e-9)


@pytest.fixture
def curved(predictor: Predictor) -> Predictor:
    """The small predictor with a calibration curve."""
    knots = np.array([[0.0, 0.5, 1.0]] * 2, np.float32)
    values = np.array([[0.1, 0.3, 0.9], [0.0, 0.8, 0.9]], np.float32)
    return replace(predictor, calibration=Calibration(knots, values))


def test_parts_of_real_prompts_add_up(small_fitted: Fitted, prompts: tuple[str, ...]) -> None:
    for prompt in prompts:
        adds_up(small_fitted.predictor, prompt)


def test_parts_of_hostile_prompts_add_up(small_fitted: Fitted, hostile_prompts: dict[str, str]) -> None:
    for prompt in hostile_prompts.values():
        adds_up(small_fitted.predictor, prompt)


@given(st.text(st.characters(), max_size=300))
def test_parts_of_any_text_add_up(predictor: Predictor, prompt: str) -> None:
    adds_up(predictor, prompt)


@pytest.mark.parametrize("prompt", [HARD, EASY, "", " \n", "deadlock", "deadlock quorum " * 2000])
def test_parts_add_up_with_and_without_a_curve(predictor: Predictor, curved: Predictor, prompt: str) -> None:
    adds_up(predictor, prompt)
    adds_up(curved, prompt)


def test_a_conversation_with_tools_adds_up(predictor: Predictor) -> None:
    adds_up(
        predictor,
        [
            {"role": "system", "content": "You are terse."},
            {"role": "user", "content": EASY},
            {"role": "assistant", "content": "Done."},
            {"role": "user", "content": HARD},
        ],
    )


@pytest.mark.parametrize("n_candidates", [2, 3, 5])
def test_any_number_of_candidates_is_taken_apart(
    plant: Plant, n_candidates: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turnout.predictor.fit.FitSettings", partial(FitSettings, trees_per_bag=5))
    data, _ = plant(80, candidates=tuple(f"provider/model-{n}" for n in range(n_candidates)), measured=False)
    fitted = fit(data).predictor
    for prompt in (HARD, EASY):
        adds_up(fitted, prompt)


def test_the_base_is_a_prompt_of_means_without_words(predictor: Predictor) -> None:
    mean = replace(extract(""), vector=predictor.feature_mean)
    found = contributions(predictor, mean, "")
    assert found.labels == () and found.parts.shape == (0, 2)
    np.testing.assert_allclose(found.base, score_of(predictor, mean), atol=1e-6)
    assert found.of("local/small").parts == ()


# Words


def test_a_word_s_part_is_what_its_terms_add_to_the_score(predictor: Predictor) -> None:
    features = extract(HARD)
    found = contributions(predictor, features, HARD)
    values, _ = term_weights(predictor.ngrams.idf, features.buckets, features.counts)
    linear, _ = predictor.ngrams.predict_one(features.buckets, features.counts)
    named = name_buckets(HARD)
    at = [*features.buckets].index(next(bucket for bucket, terms in named.items() if "deadlock" in terms))
    without = linear - values[at] * predictor.ngrams.weights[features.buckets[at]]
    with_all, with_less = (
        blend_outputs(predictor.blend, part @ predictor.to_outputs, np.zeros(2, np.float32)) @ predictor.to_scores
        for part in (linear, without)
    )
    np.testing.assert_allclose(found.parts[found.labels.index("words: deadlock")], with_all - with_less, atol=1e-6)


def test_planted_words_are_named_as_what_pushed(predictor: Predictor) -> None:
    small = contributions(predictor, extract(HARD), HARD).of("local/small", shown=1000)
    pushes = {part.label: part.points for part in small.parts}
    assert pushes["words: deadlock"] < -1 and pushes["words: quorum"] < -1
    told = contributions(predictor, extract(HARD), HARD).difference("cloud/large", "local/small", shown=1000)
    assert {part.label: part.points for part in told.parts}["words: deadlock"] > 1


def test_words_that_training_never_saw_push_nothing(predictor: Predictor) -> None:
    prompt = "Kräuterbutter schmeckt vorzüglich 変数"
    found = contributions(predictor, extract(prompt), prompt)
    assert not [label for label in found.labels if label.startswith("words: ")]


def test_a_bucket_of_two_words_bears_the_more_frequent_one(predictor: Predictor) -> None:
    met: dict[int, str] = {}
    for word in map("w{}".format, range(5000)):
        (bucket,) = extract(word).buckets.tolist()
        if met.setdefault(bucket, word) != word:
            break
    ngrams = replace(predictor.ngrams, idf=predictor.ngrams.idf.copy(), weights=predictor.ngrams.weights.copy())
    ngrams.idf[bucket], ngrams.weights[bucket] = 1.0, (0.5, -0.5)
    for often, seldom in ((word, met[bucket]), (met[bucket], word)):
        prompt = f"{often} {seldom} {often}"
        found = contributions(replace(predictor, ngrams=ngrams), extract(prompt), prompt)
        assert [label for label in found.labels if label.startswith("words: ")] == [f"words: {often}"]


def test_features_of_another_request_are_refused(predictor: Predictor) -> None:
    with pytest.raises(ValueError, match="not those of this request"):
        contributions(predictor, extract(HARD), EASY)


# What is told


@pytest.mark.parametrize("shown", [0, 1, 3, 8])
def test_the_largest_come_first_and_the_rest_is_one_sum(predictor: Predictor, shown: int) -> None:
    found = contributions(predictor, extract(HARD), HARD)
    everything = found.of("local/small", shown=10_000)
    assert EVERYTHING_ELSE not in {part.label for part in everything.parts}
    sizes = [abs(part.points) for part in everything.parts]
    assert sizes == sorted(sizes, reverse=True) and len(sizes) > 8
    told = found.of("local/small", shown=shown)
    whole(told)
    assert told.parts[:-1] == everything.parts[:shown]
    assert told.parts[-1].label == EVERYTHING_ELSE
    assert told.parts[-1].points == pytest.approx(sum(part.points for part in everything.parts[shown:]), abs=1e-9)


def test_all_parts_run_from_those_that_move_any_candidate_most(predictor: Predictor) -> None:
    size = np.abs(contributions(predictor, extract(HARD), HARD).parts).max(1)
    assert (np.diff(size) <= 0).all() and size[-1] > 0


def test_a_difference_is_one_candidate_less_the_other(curved: Predictor) -> None:
    found = contributions(curved, extract(HARD), HARD)
    large, small = (found.of(name, shown=10_000) for name in ("cloud/large", "local/small"))
    told = found.difference("cloud/large", "local/small", shown=10_000)
    assert (told.candidate, told.over) == ("cloud/large", "local/small")
    of_small = {part.label: part.points for part in small.parts}
    of_large = {part.label: part.points for part in large.parts}
    for part in told.parts:
        assert part.points == pytest.approx(of_large.get(part.label, 0) - of_small.get(part.label, 0), abs=1e-6)
    assert told.calibration_points == pytest.approx(large.calibration_points - small.calibration_points)
    assert told.success_points == pytest.approx(large.success_points - small.success_points)
    back = found.difference("local/small", "cloud/large", shown=10_000)
    assert [part.points for part in back.parts] == pytest.approx([-part.points for part in told.parts])


def test_a_candidate_over_itself_has_no_parts(predictor: Predictor) -> None:
    told = contributions(predictor, extract(HARD), HARD).difference("cloud/large", "cloud/large")
    assert told.parts == () and told.success_points == 0


def test_an_unknown_candidate_is_refused_with_those_there_are(predictor: Predictor) -> None:
    found = contributions(predictor, extract(HARD), HARD)
    for ask in (lambda: found.of("cloud/huge"), lambda: found.difference("cloud/large", "cloud/huge")):
        with pytest.raises(RequestError, match=r"cloud/huge.*local/small, cloud/large"):
            ask()


def test_a_breakdown_is_plain_enough_for_json(predictor: Predictor) -> None:
    told = asdict(contributions(predictor, extract(HARD), HARD).of("local/small"))
    assert '"points"' in dumps(told)


# Labels


def test_every_feature_has_a_label_a_person_reads() -> None:
    assert tuple(FEATURE_LABELS) == FEATURE_NAMES
    task = extract(HARD).task
    for label in FEATURE_LABELS.values():
        kind, _, thing = for_task(label, task).partition(": ")
        assert kind in {"surface", "characters", "keywords", "code", "conversation", "request", "task"}
        assert thing and not re.search(r"[_{}]|  ", thing)


def shared_labels() -> Iterator[tuple[str, set[str]]]:
    for label in dict.fromkeys(FEATURE_LABELS.values()):
        names = {name for name, each in FEATURE_LABELS.items() if each == label}
        if len(names) > 1:
            yield label, names


def test_only_features_of_one_idea_share_a_label() -> None:
    for label, names in shared_labels():
        if label.startswith("keywords: "):
            assert {name.partition("_")[2] for name in names} == {label[10:].replace(" ", "_")}
            assert {name.partition("_")[0] for name in names} == {"kw", "asks"}
        else:
            assert all(name.startswith("task_") for name in names)


def test_task_labels_name_what_was_judged() -> None:
    task = replace(extract(HARD).task, type="debugging", complexity="complex", tier="strong")
    assert for_task(FEATURE_LABELS["task_edit"], task) == "task: type debugging"
    assert for_task(FEATURE_LABELS["complexity_linear"], task) == "task: complexity complex"
    assert for_task(FEATURE_LABELS["tier_score"], task) == "task: tier strong"


def with_stump(predictor: Predictor, name: str, value: float) -> Predictor:
    """The predictor with stumps that tell a value of one feature from the training mean, and no other trees."""
    at = FEATURE_NAMES.index(name)
    limit = (value + float(predictor.feature_mean[at])) / 2
    one = tree([(at, limit), *[PAD] * 6], [1, 0, 0, 0, 3, 0, 0, 0])
    forest = Forest(*(np.repeat(part, 2, axis=0) for part in (one.feature, one.threshold, one.leaves, one.baseline)))
    return replace(predictor, forest=forest)


def told_by_trees(predictor: Predictor, features: Features) -> dict[str, str | None]:
    found = contributions(predictor, features, HARD)
    told = dict(zip(found.labels, found.levels, strict=True))
    assert {level for label, level in told.items() if label.startswith("words: ")} == {None}
    return {label: level for label, level in told.items() if not label.startswith("words: ")}


@pytest.mark.parametrize(("value", "level"), [(0.0, "none"), (0.25, "low"), (4.0, "high")])
def test_a_level_says_whether_the_prompt_has_little_or_much_of_it(
    predictor: Predictor, value: float, level: str
) -> None:
    at = FEATURE_NAMES.index("numbers")
    mean, features = predictor.feature_mean.copy(), extract(HARD)
    vector = features.vector.copy()
    mean[at], vector[at] = 1.0, value
    stump = with_stump(replace(predictor, feature_mean=mean), "numbers", value)
    assert told_by_trees(stump, replace(features, vector=vector)) == {"surface: numbers": level}


def test_keywords_of_prompt_and_instruction_are_told_together(predictor: Predictor) -> None:
    features = extract(HARD)
    for name in ("kw_concurrency", "asks_concurrency"):
        stump = with_stump(predictor, name, float(features.vector[FEATURE_NAMES.index(name)]))
        assert told_by_trees(stump, features) == {"keywords: concurrency": "high"}


def test_what_a_request_was_judged_to_be_has_no_level(predictor: Predictor) -> None:
    features = extract(HARD)
    stump = with_stump(predictor, "tier_score", features.task.tier_score)
    assert told_by_trees(stump, features) == {f"task: tier {features.task.tier}": None}


# Time


def test_a_person_does_not_wait_for_it(small_fitted: Fitted) -> None:
    prompt = "why does our lock deadlock under failover? " * 5000
    features = extract(prompt)
    spent = []
    for _ in range(5):
        started = process_time()
        contributions(small_fitted.predictor, features, prompt).of(small_fitted.predictor.candidates[0])
        spent.append(process_time() - started)
    assert min(spent) < 0.05
