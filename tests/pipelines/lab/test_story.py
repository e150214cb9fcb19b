"""The whole-life experiment: its phases, curves, yardsticks and words; and one short life on the real engine."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest

pytest.importorskip("gguf", reason="the worse file needs the extra lab-train: gguf")

from tests.pipelines.lab.models import random_weights
from tests.pipelines.logs import STRONG as STRONG_NAME
from tests.pipelines.logs import as_ever, changing, mostly_strong, records, write
from turnout_pipelines import retrain
from turnout_pipelines.lab import gguf_file, story
from turnout_pipelines.lab.sizes import SIZES
from turnout_pipelines.lab.story_account import account
from turnout_pipelines.lab.story_curves import SERVED, courses, curves, figures, interval, rolling
from turnout_pipelines.lab.story_life import distinct
from turnout_pipelines.lab.story_log import Event, Life, Row, learned_from_worse
from turnout_pipelines.lab.story_page import page
from turnout_pipelines.lab.story_plan import PHASES, Phase, most_requests, scaled
from turnout_pipelines.lab.story_plot import phases_in, plot
from turnout_pipelines.lab.story_stage import Stage, at_home, write_pruned
from turnout_pipelines.lab.story_unseen import noticed_by_outcomes

from turnout.errors import ConfigurationError
from turnout.lab.world import stream
from turnout.learning.challenge import Challenge
from turnout.predictor.settings import FitSettings

SECONDS = (0.01, 0.05)


def row(
    candidate: int, scores: tuple[float, float], *, phase: str = "one", explored: bool = False, predictor: str = ""
) -> Row:
    return Row(
        phase=phase,
        prompt="Reverse ab.",
        family="reverse",
        difficulty=1,
        candidate=candidate,
        explored=explored,
        predictor=predictor,
        scores=scores,
        seconds=SECONDS,
    )


@pytest.fixture
def rows() -> list[Row]:
    """Four requests: both right, only the strong one, nobody, only the fast one."""
    return [row(0, (1, 1)), row(0, (0, 1)), row(1, (0, 0)), row(1, (1, 0), phase="two", explored=True)]


@pytest.fixture
def events() -> list[Event]:
    return [
        Event(at=0, kind="phase", told="it begins", details={"name": "one"}),
        Event(at=2, kind="promoted", told="promoted: better", took_s=1.5, details={"version": "1"}),
        Event(at=3, kind="swapped", told="another file", details={"served": "worse"}),
        Event(at=4, kind="alarm", told="another language model", details={"kind": "language_model"}),
    ]


# Phases


def test_phases_have_names_of_their_own_and_wait_for_something_that_a_job_finds() -> None:
    assert len({phase.name for phase in PHASES}) == len(PHASES)
    assert all(phase.job for phase in PHASES if phase.waits)
    assert all(0 < phase.every <= phase.most for phase in PHASES)


def test_the_worse_file_comes_after_a_champion_and_the_rollback_after_the_right_one() -> None:
    served = [phase.served for phase in PHASES]
    first, last = served.index("worse"), len(served) - 1 - served[::-1].index("worse")
    assert any(phase.job == "retrain" and phase.waits for phase in PHASES[:first])
    assert any(phase.job == "retrain" and phase.waits for phase in PHASES[first : last + 1])
    assert [place for place, phase in enumerate(PHASES) if phase.rolls_back] == [last + 1]


def test_a_life_on_a_smaller_scale_has_the_same_phases() -> None:
    short = scaled(PHASES, 0.001)
    assert [phase.name for phase in short] == [phase.name for phase in PHASES]
    assert all(
        phase.most == 1 or phase.most == round(0.001 * one.most) for phase, one in zip(short, PHASES, strict=True)
    )
    assert most_requests(short) == sum(phase.most for phase in short)
    assert scaled(PHASES, 1.0) == PHASES


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (("promoted", "worse", "right"), False),
        (("promoted", "worse", "promoted", "right"), True),
        (("worse", "right"), False),
        (("worse", "promoted", "right", "promoted"), False),
    ],
)
def test_only_a_champion_of_the_worse_world_is_rolled_back(kinds: tuple[str, ...], expected: bool) -> None:
    told = [
        Event(at=at, kind="promoted", told="")
        if kind == "promoted"
        else Event(at=at, kind="swapped", told="", details={"served": kind})
        for at, kind in enumerate(kinds)
    ]
    assert learned_from_worse(told) is expected


# Curves and yardsticks


def test_rolling_means_are_of_the_last_values() -> None:
    assert rolling(np.array([1.0, 0.0, 1.0, 1.0]), 2).tolist() == [1.0, 0.5, 0.5, 1.0]
    assert rolling(np.array([1.0, 0.0]), 10).tolist() == [1.0, 0.5]


def test_yardsticks_are_counted_on_the_same_requests(rows: list[Row]) -> None:
    ways = courses(Life.of(rows))
    assert ways[SERVED].score.tolist() == [1, 0, 0, 0] and ways[SERVED].fast.tolist() == [1, 1, 0, 0]
    assert ways[SERVED].seconds.tolist() == [0.01, 0.01, 0.05, 0.05]
    assert ways["always fast"].score.tolist() == [1, 0, 0, 1]
    assert ways["always strong"].score.tolist() == [1, 1, 0, 0]
    assert set(ways["always strong"].seconds) == {0.05}


def test_the_oracle_asks_the_strong_one_only_where_that_alone_is_right(rows: list[Row]) -> None:
    oracle = courses(Life.of(rows))["oracle"]
    assert oracle.fast.tolist() == [1, 0, 1, 1] and oracle.score.tolist() == [1, 1, 0, 1]


def test_random_takes_the_fast_one_as_often_as_was_served_lately(rows: list[Row]) -> None:
    by_chance = curves(Life.of(rows), window=2)["random"]
    assert by_chance.fast.tolist() == [1, 1, 0.5, 0]
    assert by_chance.score.tolist() == [1, 0.5, 0.25, 0]
    assert by_chance.seconds.tolist() == pytest.approx([0.01, 0.01, 0.03, 0.05])


def test_the_best_at_the_same_share_loses_least(rows: list[Row]) -> None:
    same = figures(Life.of(rows))["same share"]
    assert same == pytest.approx({"quality": 0.75, "mean_s": 0.03, "share_on_fast": 0.5})


def test_figures_of_random_are_at_the_share_of_all(rows: list[Row]) -> None:
    found = figures(Life.of(rows))["random"]
    assert found == pytest.approx({"quality": 0.5, "mean_s": 0.03, "share_on_fast": 0.5})


def test_an_interval_holds_its_mean_and_repeats() -> None:
    values = np.random.default_rng(1).normal(0.1, 1.0, 200)
    value, low, high = interval(values)
    assert low < value < high and interval(values) == (value, low, high)


# The account, in figures and words


def test_each_phase_and_each_swap_is_accounted_for(rows: list[Row], events: list[Event]) -> None:
    phases = [
        Phase(name="one", told="", most=3),
        Phase(name="never", told="", most=1),
        Phase(name="two", told="", most=1),
    ]
    found = account(rows, events, phases, {3: 120})
    assert [(phase["name"], phase["requests"], phase["explored"]) for phase in found["phases"]] == [
        ("one", 3, 0.0),
        ("two", 1, 1.0),
    ]
    assert found["swaps"] == [
        {"at": 3, "served": "worse", "noticed_after": 1, "noticed_by_outcomes_after": 120},
    ]
    assert found["whole"]["gain"][0] == -0.25
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_swap_is_not_noticed_by_an_alarm_of_the_next_one(rows: list[Row]) -> None:
    swaps = [Event(at=at, kind="swapped", told="", details={"served": "worse"}) for at in (1, 2)]
    found = account(rows, [*swaps, Event(at=3, kind="alarm", told="")], [], {})
    assert [swap["noticed_after"] for swap in found["swaps"]] == [None, 1]


def test_the_page_tells_what_happened_in_order_and_what_it_was_worth(rows: list[Row], events: list[Event]) -> None:
    phases = [Phase(name="one", told="", most=3), Phase(name="two", told="", most=1)]
    story = account(rows, events, phases, {3: 120})
    story |= {"candidates": ["a/small", "b/large"], "preference": "quality", "date": "today", "took_s": 1.0, "seed": 0}
    told = page(story, events)
    assert told.index("it begins") < told.index("promoted: better") < told.index("another file")
    assert "promoted: promoted" not in told
    assert "noticed after 1 requests" in told and "outcomes alone would have shown it after 120 requests" in told
    assert told.count("| one |") == told.count("| two |") == 1


def test_the_picture_has_the_phases_and_the_events(rows: list[Row], events: list[Event]) -> None:
    life = Life.of(rows)
    assert list(phases_in(life)) == [("one", 0, 3), ("two", 3, 4)]
    figure = plot(life, events, 2)
    assert len(figure.axes) == 3
    assert {text.get_text() for text in figure.axes[0].texts} == {"one", "two"}
    lines = {str(line.get_label()): line for line in figure.axes[0].lines}
    assert np.asarray(lines["Turnout"].get_ydata()).tolist() == [1.0, 0.5, 0.0, 0.0]
    assert np.asarray(lines["drift is noticed"].get_xdata()).tolist() == [4]


# What outcomes alone would have told


@pytest.mark.parametrize("falls", [True, False], ids=["worse", "as ever"])
def test_outcomes_alone_show_a_worse_file_and_nothing_else(tmp_path: Path, falls: bool) -> None:
    after = (lambda number, scores: scores * [1.0, 0.2]) if falls else as_ever
    logged = records(900, chooses=mostly_strong, answers=changing(600, after=after), predictor="p")
    lived = [row(1, (1, 1), predictor="p")] * 900
    found = noticed_by_outcomes(write(tmp_path / "history.db", logged), lived, 600, STRONG_NAME)
    assert (found is not None and found <= 200) if falls else found is None


# The stage


def test_no_prompt_comes_twice() -> None:
    tasks = list(islice(distinct(stream(0, ["number_words"], [1])), 30))
    assert len({task.prompt for task in tasks}) == 30
    assert tasks[0] == next(stream(0, ["number_words"], [1]))


def test_a_language_model_without_its_last_layer_is_a_smaller_file(tmp_path: Path) -> None:
    size = SIZES["small"]
    gguf_file.write(tmp_path / "small.gguf", size, random_weights(size))
    write_pruned(tmp_path / "small.gguf", tmp_path / "worse" / "small.gguf")
    _, weights = gguf_file.read(tmp_path / "worse" / "small.gguf")
    _, whole = gguf_file.read(tmp_path / "small.gguf")
    assert {name for name in whole if name not in weights} == {name for name in whole if name.startswith("blk.2.")}
    assert all(np.array_equal(weights[name], whole[name]) for name in weights)


def test_what_is_learned_stays_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_MODELS", "mine")
    monkeypatch.delenv("TURNOUT_BASE", raising=False)
    with at_home(tmp_path):
        assert os.environ["TURNOUT_MODELS"] == str(tmp_path / "models") and os.environ["TURNOUT_BASE"] == "off"
    assert os.environ["TURNOUT_MODELS"] == "mine" and "TURNOUT_BASE" not in os.environ


def test_only_a_phase_of_another_exploration_is_another_configuration(tmp_path: Path) -> None:
    stage = Stage(tmp_path, {}, "balanced")
    phase = Phase(name="one", told="", most=1)
    assert stage.settings(phase) == stage.settings(replace(phase, served="worse", job="drift"))
    assert stage.settings(phase) != stage.settings(replace(phase, exploration=0.5))


# The job


def test_without_language_models_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TURNOUT_MODELS", str(tmp_path))
    assert story.main(["--folder", str(tmp_path / "life")]) == 1
    assert "small.gguf" in capsys.readouterr().err and not (tmp_path / "life").exists()


def test_without_its_libraries_it_says_which_extra_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(story, "find_spec", lambda _: None)
    assert story.main(["--folder", str(tmp_path / "life")]) == 1
    assert "lab-train" in capsys.readouterr().err and not (tmp_path / "life").exists()


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    files = Path(__file__).parents[3] / "models" / "lab"
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TURNOUT_MODELS", str(files.parent))
        with pytest.raises(ConfigurationError, match="something else"):
            story.run(tmp_path, strong="medium")
    assert (tmp_path / "thesis.txt").read_text(encoding="utf-8") == "years of work"


SHORT = (
    Phase(name="nothing", told="no history", most=240, job="retrain", every=240, exploration=0.5),
    Phase(name="worse", told="a worse file", most=300, job="drift", every=30, waits=True, served="worse"),
    Phase(name="relearning", told="it goes on", most=270, job="retrain", every=270, served="worse", exploration=0.5),
    Phase(name="restored", told="the right file", most=300, job="drift", every=30, waits=True, rolls_back=True),
    Phase(name="back", told="it goes on", most=10),
)


@pytest.fixture
def generous(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate that lets everybody pass: so few requests show nothing; and fits of few trees."""
    real = retrain.challenge

    def challenge(*arguments: Any, **options: Any) -> Challenge:
        found = real(*arguments, **options)
        return replace(found, judgement=replace(found.judgement, verdict="promote"))

    monkeypatch.setattr(retrain, "challenge", challenge)
    monkeypatch.setattr("turnout.predictor.fit.FitSettings", partial(FitSettings, trees_per_bag=10))


@pytest.mark.slow
@pytest.mark.usefixtures("generous")
def test_a_short_life_is_lived_on_the_real_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xllamacpp", reason="the real engine needs xllamacpp")
    shipped = Path(__file__).parents[3] / "models" / "lab"
    models, folder = tmp_path / "models", tmp_path / "life"
    (models / "lab").mkdir(parents=True)
    for name in ("small.gguf", "medium.gguf"):
        (models / "lab" / name).symlink_to(shipped / name)
    monkeypatch.setenv("TURNOUT_MODELS", str(models))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")

    told = story.run(folder, strong="medium", phases=SHORT)

    happened = [event["kind"] for event in told["events"] if event["kind"] != "phase"]
    assert happened == ["promoted", "swapped", "alarm", "promoted", "swapped", "alarm", "rolled back"]
    assert [event["details"]["name"] for event in told["events"] if event["kind"] == "phase"] == [
        phase.name for phase in SHORT
    ]
    by_name = {phase["name"]: phase for phase in told["phases"]}
    right, worse = (by_name[name]["ways"]["always strong"]["quality"] for name in ("nothing", "relearning"))
    assert worse < right / 2
    assert 0.35 < by_name["nothing"]["explored"] < 0.65
    with (folder / "requests.csv").open(encoding="utf-8") as file:
        decided_by = [one["predictor"] for one in csv.DictReader(file)]
    assert len(decided_by) == told["requests"] and set(decided_by[:240]) == {""}
    assert decided_by[240] == decided_by[-1] != decided_by[-11] != "", "the champion before serves again"
    assert (folder / "story.png").stat().st_size > 10_000
    assert json.loads((folder / "story.json").read_text(encoding="utf-8")) == told
    assert "## What happened" in (folder / "story.md").read_text(encoding="utf-8")
    mlflow.set_tracking_uri(told["tracking_uri"])
    tracked = mlflow.search_runs(experiment_names=["turnout"])
    assert tracked["tags.mlflow.runName"].tolist() == ["lab story"], "retrainings are tracked in the life's own folder"
    assert not (models / "champion").exists() and (folder / "models" / "champion").exists()
