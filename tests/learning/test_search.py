"""The search: rounds, what passes on, what the verdict says, and what an interruption leaves."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice, pairwise

import numpy as np
import pytest

from turnout.errors import TooFewRowsError
from turnout.learning.dataset import extract_all
from turnout.learning.evaluation import pool_of
from turnout.learning.logged import from_scores
from turnout.learning.metrics import Interval
from turnout.learning.outcomes import OutcomeTable
from turnout.learning.search import SPACE, WHOLE, Budget, Found, Score, Trial, Verdict, draws, rounds, search
from turnout.learning.search_history import OnHistory
from turnout.learning.search_table import SEARCH_FOLDS, VERDICT_FOLDS, OnTable
from turnout.predictor.settings import RANGES, FitSettings

MakeTable = Callable[..., OutcomeTable]


@dataclass
class Pretended:
    """A judge that knows the truth: the nearer the ridge penalty is to `best`, the better."""

    best: float = 10.0
    train_groups: int = 10_000
    noise: float = 0.0
    problem: str = ""
    compared: list[FitSettings] = field(default_factory=list)

    def worth(self, settings: FitSettings) -> float:
        return 1.0 - abs(np.log(settings.ridge_penalty / self.best))

    def score(self, settings: FitSettings, share: float) -> Score:
        value = self.worth(settings) if np.isfinite(self.noise) else np.nan
        return Score(Interval(value, value - 0.1, value + 0.1), round(share * self.train_groups), 0.0)

    def verdict(self, settings: FitSettings, defaults: FitSettings) -> Verdict:
        self.compared.append(settings)
        gain = self.worth(settings) - self.worth(defaults)
        return Verdict(Interval(gain, gain - 0.05, gain + 0.05), self.problem)


def look(judge: Pretended, budget: Budget | None = None, **options: object) -> Found:
    return search(judge, budget or Budget(), quiet=True, **options)  # type: ignore[arg-type]


# Drawing


def test_draws_are_in_the_space_and_the_same_for_a_seed() -> None:
    drawn = list(islice(draws(0), 200))
    assert drawn[:50] == list(islice(draws(0), 50)) != list(islice(draws(1), 50))
    for name, (low, high) in SPACE.items():
        values = np.array([getattr(settings, name) for settings in drawn])
        assert low * 0.99 <= values.min() and values.max() <= high * 1.01
        below = (values < np.sqrt(low * high)).mean()
        assert 0.35 < below < 0.65, "as many below the geometric mean as above"
        assert (name in WHOLE) == all(isinstance(value, int) for value in (getattr(one, name) for one in drawn))


def test_the_space_is_inside_what_a_fit_takes_and_holds_the_defaults() -> None:
    assert SPACE.keys() == RANGES.keys()
    for name, (low, high) in SPACE.items():
        assert RANGES[name][0] <= low < getattr(FitSettings(), name) < high <= RANGES[name][1]


# Halving


@pytest.mark.parametrize(
    ("n_settings", "groups", "expected"),
    [
        (2, 10_000, [(2, 1.0)]),
        (9, 10_000, [(9, 1 / 9), (3, 1 / 3), (1, 1.0)]),
        (20, 10_000, [(20, 1 / 9), (7, 1 / 3), (3, 1.0)]),
        (20, 1_000, [(20, 1 / 3), (7, 1.0)]),
        (20, 100, [(20, 1.0)]),
    ],
)
def test_rounds_pass_a_third_on_to_three_times_the_rows(
    n_settings: int, groups: int, expected: list[tuple[int, float]]
) -> None:
    assert rounds(n_settings, groups) == expected


def test_the_best_third_passes_and_the_defaults_stay() -> None:
    trials = look(judge := Pretended()).trials
    shares = sorted({trial.share for trial in trials})
    assert [sum(trial.share == share for trial in trials) for share in shares] == [20, 7, 3]
    for fewer, more in pairwise(shares):
        here = {trial.number: judge.worth(trial.settings) for trial in trials if trial.share == fewer}
        passed = {trial.number for trial in trials if trial.share == more}
        assert 0 in passed
        left = [worth for number, worth in here.items() if number not in passed]
        assert min(here[number] for number in passed - {0}) >= max(left)


def test_what_is_better_is_found_and_compared_once() -> None:
    found = look(judge := Pretended())
    assert found.verdict.better and found.verdict.gain.value > 0.5
    assert judge.compared == [found.settings]


def test_the_same_seed_finds_the_same() -> None:
    assert look(Pretended()) == look(Pretended())
    assert look(Pretended(), seed=1).settings != look(Pretended()).settings


def test_the_defaults_stay_where_nothing_scores_better() -> None:
    found = look(judge := Pretended(best=FitSettings().ridge_penalty))
    assert found.settings == FitSettings() and not found.verdict.better and not judge.compared
    assert "no other" in found.verdict.problem


def test_scores_that_are_no_numbers_never_win() -> None:
    assert look(Pretended(noise=np.inf)).settings == FitSettings()


@pytest.mark.parametrize(
    ("gain", "problem", "better"),
    [
        (Interval(0.1, 0.01, 0.2), "", True),
        (Interval(0.1, 0.0, 0.2), "", False),
        (Interval(0.1, -0.01, 0.2), "", False),
        (Interval(0.1, 0.01, 0.2), "too few", False),
        (Interval(float("nan"), float("nan"), float("nan")), "", False),
    ],
)
def test_better_is_an_interval_above_nothing(gain: Interval, problem: str, better: bool) -> None:
    assert Verdict(gain, problem).better is better


# Time


def test_a_time_limit_begins_brackets_until_it_is_up() -> None:
    now = iter(np.arange(0.0, 10_000.0))
    trials = look(Pretended(), Budget(None, 40.0), clock=lambda: next(now)).trials
    assert 35 <= len(trials) <= 40
    assert sum(trial.number == 0 for trial in trials) == 3, "the defaults are tried once on each share"
    assert max(trial.number for trial in trials) > 20


def test_a_time_limit_that_is_up_at_once_still_ends_well() -> None:
    now = iter(np.arange(0.0, 10_000.0))
    found = look(Pretended(), Budget(None, 0.5), clock=lambda: next(now))
    assert len(found.trials) == 1 and found.settings == FitSettings()


def test_an_interruption_has_handed_out_every_trial_before_it() -> None:
    kept: list[Trial] = []

    def keep(trial: Trial) -> None:
        kept.append(trial)
        if len(kept) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look(Pretended(), tried=keep)
    assert [trial.number for trial in kept] == [0, 1, 2, 3, 4]


# On a table


@pytest.fixture(scope="module")
def table(make_table: MakeTable) -> OutcomeTable:
    """200 prompts in 100 groups whose words say whether they are hard."""
    rng = np.random.default_rng(0)
    hard = np.arange(200) // 2 % 2 == 0
    scores = (rng.random((200, 2)) < np.where(hard[:, None], (0.1, 0.9), (0.9, 0.9))).astype(float)
    prompts = [
        f"{'untangle the deadlock' if each else 'rename the field'} in part {at}" for at, each in enumerate(hard)
    ]
    return make_table(prompts, scores, groups=[f"task {at // 2}" for at in range(200)])


@pytest.fixture(scope="module")
def judge(table: OutcomeTable) -> OnTable:
    return OnTable.of(pool_of(table, ("model-0", "model-1"), quiet=True))


SMALL = FitSettings(trees_per_bag=5)


def test_a_table_s_judge_scores_what_can_be_learned(judge: OnTable) -> None:
    score = judge.score(SMALL, 1.0)
    assert score.interval.value > 0.55 and score.interval.low <= score.interval.value <= score.interval.high
    assert judge.score(SMALL, 1.0).interval == score.interval
    assert 0 < judge.score(SMALL, 0.4).train_rows < score.train_rows


def test_rows_of_the_verdict_have_no_say_in_the_scores(judge: OnTable) -> None:
    assert not set(judge._known(SEARCH_FOLDS)) & set(judge._known(VERDICT_FOLDS))
    groups = judge.pool.table.prompts["group"].to_numpy()
    in_search = np.isin(judge.fold, SEARCH_FOLDS)
    assert not set(groups[in_search]) & set(groups[~in_search])


def test_larger_shares_hold_the_smaller_ones_whole_groups_at_a_time(judge: OnTable) -> None:
    groups = judge.pool.table.prompts["group"].to_numpy()
    assert all(len(np.unique(judge.lot[groups == group])) == 1 for group in groups)


def test_a_verdict_on_itself_is_no_gain_and_on_worse_is_one(judge: OnTable) -> None:
    assert judge.verdict(SMALL, SMALL).gain == Interval(0.0, 0.0, 0.0)
    numb = FitSettings(trees_per_bag=1, learning_rate=1e-4, ridge_penalty=1e6, min_samples_leaf=1000)
    assert judge.verdict(SMALL, numb).gain.value > -0.05


def test_a_judge_travels(judge: OnTable) -> None:
    there = pickle.loads(pickle.dumps(judge))
    assert there.score(SMALL, 1.0).interval == judge.score(SMALL, 1.0).interval
    assert judge.__sizeof__() > 10_000, "Dask sends what is large once"


def test_too_few_groups_are_told(make_table: MakeTable) -> None:
    few = make_table(["a", "b", "c", "d"], np.array([[0, 1]] * 4))
    with pytest.raises(TooFewRowsError, match="at least 5 groups, the table has 4"):
        OnTable.of(pool_of(few, ("model-0", "model-1"), quiet=True))


def test_a_table_without_a_gap_is_told(make_table: MakeTable) -> None:
    same = make_table([f"prompt {at}" for at in range(40)], np.array([[1, 0]] * 40))
    with pytest.raises(TooFewRowsError, match="no candidate is better than the cheapest"):
        OnTable.of(pool_of(same, ("model-0", "model-1"), quiet=True))


# On a log


def test_a_log_s_judge_trains_on_the_older_and_judges_on_the_newer(logged_by_words: OnHistory) -> None:
    judge = logged_by_words
    assert judge.searching.created_at.max() < judge.deciding.created_at.min()
    assert len(judge.data.dense) > len(judge.searching) + len(judge.deciding)
    score = judge.score(SMALL, 1.0)
    assert score.interval.low < score.interval.value < score.interval.high
    assert judge.verdict(SMALL, SMALL).gain.value == 0.0
    assert not judge.verdict(SMALL, SMALL).better


@pytest.fixture(scope="module")
def logged_by_words(table: OutcomeTable) -> OnHistory:
    rng = np.random.default_rng(1)
    hard = rng.random(500) < 0.5
    prompts = [
        f"{'untangle the deadlock' if each else 'rename the field'} in part {at}" for at, each in enumerate(hard)
    ]
    scores = (rng.random((500, 2)) < np.where(hard[:, None], (0.1, 0.9), (0.9, 0.9))).astype(np.float32)
    chosen = rng.integers(0, 2, 500)
    log = from_scores(
        ("model-0", "model-1"), extract_all(prompts, quiet=True), np.arange(500), scores, chosen, np.full(500, 0.5)
    )
    return OnHistory.of(log)
