"""What is believed: from the base predictor, from a champion, and from both."""

from __future__ import annotations

import numpy as np
import pytest

from turnout import Router
from turnout.advice.beliefs import Beliefs, beliefs
from turnout.advice.typical import bundled
from turnout.descriptors import describe
from turnout.features import extract
from turnout.predictor import Predictor
from turnout.predictor.base import BasePredictor

TINY, LARGE, SEVEN = "ollama/qwen2.5:0.5b", "ollama/llama3.3:70b", "ollama/qwen2.5-coder:7b"
PROMPTS = bundled()


def believed(*names: str, base: BasePredictor | None, champion: Predictor | None = None, draws: int = 400) -> Beliefs:
    return beliefs([(name, describe(name)) for name in names], PROMPTS, champion=champion, base=base, draws=draws)


@pytest.fixture
def taught(router: Router) -> Predictor:
    assert router.predictor is not None
    return router.predictor


def test_a_large_one_is_believed_to_be_better_than_a_tiny_one(base: BasePredictor) -> None:
    found = believed(TINY, LARGE, base=base)
    tiny, large = found.quality(TINY), found.quality(LARGE)
    assert tiny.low < tiny.median < tiny.high and tiny.median + 0.1 < large.median
    assert (found.of(LARGE).mean(axis=1) > found.of(TINY).mean(axis=1)).mean() > 0.9


def test_the_middle_of_the_draws_is_what_the_base_predictor_says(base: BasePredictor) -> None:
    found = believed(SEVEN, base=base, draws=4000)
    rows = np.array([base.traits.of(extract(prompt))[0] for prompt in PROMPTS])
    expected = base.lines([describe(SEVEN)]).p_success(rows).mean()
    assert found.of(SEVEN).mean() == pytest.approx(expected, abs=0.02)


def test_candidates_share_what_is_not_known_of_the_prompts(base: BasePredictor) -> None:
    found = believed(SEVEN, LARGE, base=base)
    means = found.p.mean(axis=2)
    assert np.corrcoef(means[:, 0], means[:, 1])[0, 1] > 0.3
    gap, alone = np.std(means[:, 1] - means[:, 0]), np.std(means[:, 0])
    assert gap < alone * 1.2


def test_the_same_is_believed_each_time(base: BasePredictor) -> None:
    first, again = (believed(SEVEN, LARGE, base=base, draws=50) for _ in range(2))
    assert np.array_equal(first.p, again.p)


def test_a_champion_replaces_the_base_for_those_it_knows(taught: Predictor) -> None:
    names = taught.candidates
    found = believed(*names, base=None, champion=taught)
    told = np.array([taught.predict(extract(prompt)).p_success for prompt in PROMPTS]).mean(axis=0)
    assert found.learned == set(names)
    for name, mean in zip(names, told, strict=True):
        assert found.quality(name).median == pytest.approx(mean, abs=0.03)


def test_others_are_moved_by_as_much_as_the_champion_is_from_the_base(taught: Predictor, base: BasePredictor) -> None:
    alone = believed(SEVEN, *taught.candidates, base=base).quality(SEVEN)
    beside = believed(SEVEN, *taught.candidates, base=base, champion=taught)
    moved = beside.quality(SEVEN)
    told = np.mean([beside.of(name).mean() for name in taught.candidates])
    expected = np.mean([believed(name, base=base).of(name).mean() for name in taught.candidates])
    assert SEVEN not in beside.learned
    assert (moved.median - alone.median) * (told - expected) > 0 or abs(told - expected) < 0.02


def test_an_interval_is_told_as_three_numbers(base: BasePredictor) -> None:
    found = believed(SEVEN, base=base, draws=50).quality(SEVEN)
    assert found.to_json() == [round(found.median, 4), round(found.low, 4), round(found.high, 4)]
