"""`turnout retrain`, `rollback`, `drift`, and the history's side of `train` and `evaluate`: options in, results out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnout.cli import jobs, learning
from turnout.errors import ArtifactMissingError, HistoryError, TooFewRowsError, TrainingBusyError

Turnout = Callable[..., Any]

RETRAINED = {
    "version": "7",
    "promoted": True,
    "why": "promoted: mean score +0.100 [+0.050, +0.150] against the champion's",
    "checks": [["support", True, "300 of 300 decisions have a result"], ["better", False, "that interval includes 0"]],
    "estimates": {"challenger": [0.9, 0.85, 0.95], "champion": [0.8, 0.75, 0.85]},
    "confidence": "fitted to 812 answers, log loss 0.410 (default 0.520)",
    "report": "models/reports/7.html",
    "tracking_uri": "sqlite:///models/mlflow.db",
    "seconds": 1.5,
}
DRIFT = {"checked_at": 1.0, "alarms": [], "watched": {"decisions": 1_200}, "note": "state/drift.json"}
ALARM = {"kind": "success", "candidate": "a/b", "since": 1.0, "text": "a/b answers worse"}
SUPPORT = {"effective_rows": 120.4, "problem": ""}
COMPARED = {
    "decisions": 1_000,
    "policies": {
        "champion": {"dr": [0.8, 0.7, 0.9], "support": SUPPORT},
        "always:a/b": {"dr": [0.5, 0.4, 0.6], "support": SUPPORT | {"problem": "switch exploration on"}},
    },
    "differences": {
        "champion − always:a/b": {"score": [0.3, 0.2, 0.4], "differ": 0.5, "support": SUPPORT | {"problem": "collect"}},
        "champion − random": {"score": [0.0, 0.0, 0.0], "differ": 0.0, "support": SUPPORT},
    },
}


NO_TIMES = (
    "",
    "5",
    "m",
    "0s",
    "0.5s",
    "-5m",
    "+5m",
    "1e3s",
    "infd",
    "367d",
    "1h30m",
    "²h",
    "5m;rm",
    "1.h",
    ".5h",
    "5M",
)


class Jobs:
    """Jobs that only note what they were asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.results: dict[str, Any] = {
            "retrain": RETRAINED,
            "rollback": {"version": "3", "champion": "models/champion", "candidates": ["a/b"]},
            "drift": DRIFT,
            "compare": COMPARED,
            "schedule": {"turns": 1, "retrained": 1, "promoted": 1},
        }

    def find(self, name: str) -> Callable[..., Any]:
        def run(**options: Any) -> Any:
            self.asked.append((name, options))
            result = self.results[name]
            if isinstance(result, BaseException):
                raise result
            return result(**options) if callable(result) else result

        return run


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Jobs:
    made = Jobs()
    monkeypatch.setattr(learning, "find_job", made.find)
    monkeypatch.setattr(jobs, "find_job", made.find)
    return made


# Retraining


def test_retraining_has_its_defaults(turnout: Turnout, asked: Jobs) -> None:
    assert turnout("retrain").code == 0
    usual = {"history": "", "config": None, "outcomes": [], "candidates": [], "max_rows": 200_000}
    (name, options), *others = asked.asked
    assert name == "retrain" and not others
    wanted = usual | {"promote_if_better": True, "seed": 0}
    assert options | wanted == options


def test_every_option_of_retraining_reaches_the_job(turnout: Turnout, asked: Jobs) -> None:
    options = ("--history", "sqlite:///h.db", "--config", "c.yaml", "--outcomes", "a.csv", "b.csv")
    turnout("retrain", *options, "--candidates", "a/b, c/d", "--max-rows", "500", "--no-promote", "--seed", "3")
    wanted = {
        "history": "sqlite:///h.db",
        "config": Path("c.yaml"),
        "outcomes": [Path("a.csv"), Path("b.csv")],
        "candidates": ["a/b", "c/d"],
        "max_rows": 500,
        "promote_if_better": False,
        "seed": 3,
    }
    assert asked.asked[0][1] | wanted == asked.asked[0][1]


def test_what_the_gate_saw_and_decided_is_told(turnout: Turnout, asked: Jobs) -> None:
    out = turnout("retrain").out
    assert "✓ support" in out and "✗ better" in out and "0.900 [0.850, 0.950]" in out
    assert "predictor 7 promoted: mean score +0.100" in out and "report: models/reports/7.html" in out
    assert "confidence: fitted to 812 answers" in out


def test_json_is_one_object_and_nothing_else(turnout: Turnout, asked: Jobs) -> None:
    for command, result in (("retrain", RETRAINED), ("drift", DRIFT), ("rollback", asked.results["rollback"])):
        assert json.loads(turnout(command, "--json").out) == result


@pytest.mark.parametrize("command", ["retrain", "rollback", "drift"])
def test_every_command_explains_itself(turnout: Turnout, command: str) -> None:
    ran = turnout(command, "--help")
    assert ran.code == 0 and "--json" in ran.out


@pytest.mark.parametrize(
    ("command", "job", "error"),
    [
        ("retrain", "retrain", TrainingBusyError("another training is under way in models; wait for it to end")),
        ("retrain", "retrain", TooFewRowsError("40 decisions have a known result")),
        ("drift", "drift", HistoryError("there is no history at sqlite:///none.db")),
        ("rollback", "rollback", ArtifactMissingError("no champion served before this one")),
    ],
)
def test_an_error_is_one_line_and_leaves_with_one(
    turnout: Turnout, asked: Jobs, command: str, job: str, error: Exception
) -> None:
    asked.results[job] = error
    assert turnout(command) == (1, "", f"turnout {command}: {error}\n")


def test_an_interrupted_retraining_leaves_with_130(turnout: Turnout, asked: Jobs) -> None:
    asked.results["retrain"] = KeyboardInterrupt()
    assert turnout("retrain") == (130, "", "turnout retrain: interrupted\n")


# Again and again


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("30m", 1_800),
        ("6h", 21_600),
        ("1d", 86_400),
        ("1.5h", 5_400),
        (" 2 d ", 172_800),
        ("366d", 31_622_400),
    ],
)
def test_a_time_is_a_number_and_its_unit(turnout: Turnout, asked: Jobs, text: str, seconds: float) -> None:
    assert turnout("retrain", "--every", text).code == 0
    assert asked.asked[0][0] == "schedule"
    assert (asked.asked[0][1]["every_s"], asked.asked[0][1]["on_drift"]) == (seconds, False)


@pytest.mark.parametrize("text", [*NO_TIMES, "9" * 400 + "d", "5 minutes", "nan s", "5\nm\n5", "\x005m"])
def test_what_is_no_time_is_refused_with_an_example(turnout: Turnout, asked: Jobs, text: str) -> None:
    ran = turnout("retrain", f"--every={text}")
    assert (ran.code, ran.out) == (2, "") and "expected like 30m, 6h or 1d" in ran.err
    assert not asked.asked


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "", "1e5", "5_000"])
def test_a_number_of_rows_is_whole_and_above_zero(turnout: Turnout, asked: Jobs, text: str) -> None:
    ran = turnout("retrain", f"--max-rows={text}")
    assert ran.code == 2 and "is not a whole number above 0" in ran.err and not asked.asked


def test_on_drift_looks_every_quarter_of_an_hour(turnout: Turnout, asked: Jobs) -> None:
    turnout("retrain", "--on-drift", "--no-promote")
    name, options = asked.asked[0]
    assert (name, options["every_s"], options["on_drift"], options["promote_if_better"]) == (
        "schedule",
        900,
        True,
        False,
    )


def test_each_result_of_a_schedule_is_one_line_of_json(turnout: Turnout, asked: Jobs) -> None:
    def turns(told: Callable[[dict[str, Any]], None], **options: Any) -> dict[str, Any]:
        told(RETRAINED)
        told(RETRAINED)
        raise KeyboardInterrupt

    asked.results["schedule"] = turns
    ran = turnout("retrain", "--every", "1h", "--json")
    assert [json.loads(line) for line in ran.out.splitlines()] == [RETRAINED, RETRAINED]
    assert ran.code == 0, "being stopped is how a schedule ends"
    assert "stopped" in ran.err


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C as POSIX sends it")
def test_a_schedule_stopped_by_ctrl_c_ends_quietly_with_zero(tmp_path: Path) -> None:
    environment = {**os.environ, "TURNOUT_MODELS": str(tmp_path / "models"), "TURNOUT_STATE": str(tmp_path / "state")}
    # A shell that starts something in the background makes it deaf to Ctrl-C, and children inherit that.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n" + (
        "import sys; from turnout.cli.main import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", code, "retrain", "--every", "1h", "--history", f"sqlite:///{tmp_path}/none.db"]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = ""
        while "trying again in 3,600 s" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert "there is no history at" in said
    assert process.returncode == 0 and "Traceback" not in rest and "stopped" in rest


# Drift and rollback


def test_drift_tells_its_alarms_in_words(turnout: Turnout, asked: Jobs) -> None:
    assert turnout("drift").out == "no drift\n(1,200 decisions watched)\n"
    asked.results["drift"] = DRIFT | {"alarms": [ALARM]}
    ran = turnout("drift", "--history", "sqlite:///h.db")
    assert ran == (0, "success: a/b answers worse\n(1,200 decisions watched)\n", "")
    assert asked.asked[-1] == ("drift", {"history": "sqlite:///h.db", "config": None})


def test_a_rollback_tells_who_serves(turnout: Turnout, asked: Jobs) -> None:
    assert turnout("rollback").out == "predictor 3 is the champion again in models/champion\n"


# Training and evaluating on a history


@pytest.mark.parametrize(
    ("given", "address"), [(("--history",), ""), (("--history", "sqlite:///h.db"), "sqlite:///h.db")]
)
def test_training_on_a_history_is_a_retraining_that_serves_only_where_asked(
    turnout: Turnout, asked: Jobs, given: tuple[str, ...], address: str
) -> None:
    turnout("train", *given, "--candidates", "a/b|c,d")
    turnout("train", *given, "--promote")
    wanted = {"history": address, "candidates": ["a/b", "c,d"], "seed": 0, "promote_if_better": False}
    for (name, options), own in zip(
        asked.asked, (wanted, wanted | {"candidates": [], "promote_if_better": True}), strict=True
    ):
        assert name == "retrain" and options | own == options


def test_evaluating_on_a_history_compares_policies(turnout: Turnout, asked: Jobs) -> None:
    ran = turnout("evaluate", "--history", "sqlite:///h.db", "--policies", "champion,always:a/b", "--seed", "2")
    wanted = {"history": "sqlite:///h.db", "compared": ["champion", "always:a/b"], "candidates": [], "seed": 2}
    assert asked.asked == [("compare", wanted)]
    assert "0.800 [0.700, 0.900]" in ran.out and "+0.300 [+0.200, +0.400]" in ran.out
    assert "cannot be concluded: switch exploration on" in ran.out and "cannot be concluded: collect" in ran.out
    assert "cannot be concluded: they never differ" in ran.out
    assert json.loads(turnout("evaluate", "--history", "--json").out) == COMPARED


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_table_and_a_history_at_once_are_refused(turnout: Turnout, asked: Jobs, command: str) -> None:
    ran = turnout(command, "--history", "sqlite:///h.db", "--outcomes", "a.csv")
    assert ran.code == 2 and "not allowed with" in ran.err and not asked.asked


@pytest.mark.parametrize(
    ("command", "given", "named"),
    [
        ("train", ("--dataset", "mbpp"), "--dataset"),
        ("train", ("--folds", "3"), "--folds"),
        ("train", ("--only-candidates",), "--only-candidates"),
        ("evaluate", ("--split", "dataset", "--train-size", "9"), "--split, --train-size"),
        ("evaluate", ("--predictions", "out.parquet"), "--predictions"),
    ],
)
def test_what_only_a_table_knows_is_refused_beside_a_history(
    turnout: Turnout, asked: Jobs, command: str, given: tuple[str, ...], named: str
) -> None:
    ran = turnout(command, "--history", "sqlite:///h.db", *given)
    assert ran.code == 1 and f"{named}: for outcome tables" in ran.err and not asked.asked


# Completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_these_commands_and_their_options(turnout: Turnout, shell: str) -> None:
    out = turnout("completion", shell).out
    assert all(word in out for word in ("retrain", "rollback", "drift", "no-promote", "on-drift", "every", "policies"))
