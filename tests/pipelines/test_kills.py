"""SIGKILL in the middle of logging, promoting and retraining: nothing acknowledged is lost, and what serves is whole."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.kills_trials import kill_logging, kill_promoting
from tests.pipelines.logs import BOTH, files, records, write

from turnout.predictor import load, save
from turnout.predictor.fit import Fitted

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="kill -9 and fork are of POSIX")]

# Retrains in forked children that kill themselves as they enter a stage, named on the command line.
RETRAINING = """
import os, signal, sys
from functools import partial
import turnout.predictor.fit as fit
from turnout_pipelines import promote, retrain, tracking

fit.FitSettings = partial(fit.FitSettings, trees_per_bag=5)
modules = {"promote": promote, "retrain": retrain, "tracking": tracking}
for stage in sys.argv[2:]:
    child = os.fork()
    if not child:
        module, name = stage.split(".")
        setattr(modules[module], name, lambda *a, **o: os.kill(os.getpid(), signal.SIGKILL))
        retrain.run(history=sys.argv[1])
        os._exit(0)
    print(stage, os.WTERMSIG(os.waitpid(child, 0)[1]), flush=True)
assert retrain.run(history=sys.argv[1])["promoted"], "whatever the killed ones left is in nobody's way"
"""
STAGES = ["retrain.challenge", "tracking.log_predictor", "tracking.register", "retrain.save", "promote.load"]


def test_a_process_killed_while_it_records_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    found = kill_logging(tmp_path, 20)
    assert found.kills == 20 and found.acknowledged > 100
    assert (found.lost, found.twice, found.broken_databases, found.problems) == (0, 0, 0, [])


def test_a_process_killed_while_it_promotes_leaves_one_of_the_versions_whole(
    tmp_path: Path, small_fitted: Fitted
) -> None:
    one = replace(small_fitted.predictor, info={"created": "one"})
    two = replace(one, calibration=None, info={"created": "two"})
    found = kill_promoting(tmp_path, (one, two), 20)
    assert (found.kills, found.served, found.problems) == (20, 20, [])
    assert found.promotions >= 20 and found.stages["writing the champion"] > 0


def test_a_retraining_killed_at_any_stage_leaves_the_champion(tmp_path: Path, small_fitted: Fitted) -> None:
    models = tmp_path / "models"
    save(replace(small_fitted.predictor, candidates=("a/a", "b/b", "c/c")), models / "champion")
    before = files(models / "champion")
    url = write(tmp_path / "history.db", records(400, exploration=0.8))
    environment = {**os.environ, "TURNOUT_MODELS": str(models), "MLFLOW_TRACKING_URI": ""}
    command = [sys.executable, "-W", "ignore", "-c", RETRAINING, url, *STAGES]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for stage, said in zip(STAGES, process.stdout, strict=True):
            assert said == f"{stage} 9\n"
            assert files(models / "champion") == before
    assert process.returncode == 0
    assert load(models / "champion").candidates == BOTH
