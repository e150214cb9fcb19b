"""Computing on a Dask cluster: the same results as here, and every way in which it cannot be reached is told."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from turnout_pipelines import cluster as rooms
from turnout_pipelines.cluster import ClusterError, cluster

from turnout.errors import MissingExtraError
from turnout.learning.dataset import extract_all, training_data
from turnout.learning.evaluation import evaluate, pool_of, predict_table
from turnout.learning.outcomes import OutcomeTable, read_outcomes
from turnout.learning.search import Budget, search
from turnout.learning.search_table import OnTable
from turnout.predictor.fit import fit
from turnout.predictor.settings import FitSettings

Slice = Callable[..., Path]

PAIR = ("lmstudio/qwen2.5-coder-1.5b", "ollama/llama-3.3-70b")
FEW = FitSettings(trees_per_bag=6)


def test_without_an_address_nothing_changes() -> None:
    with cluster(""):
        assert joblib.effective_n_jobs(None) == 1


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"--dask tcp://there:1 .*turnout\[dask\]"), cluster("tcp://there:1"):
        pass


# Who cannot be reached


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(rooms, "PATIENCE_S", 1.0)


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.usefixtures("impatient")
def test_nobody_at_the_address_is_told(free_port: int) -> None:
    address = f"tcp://127.0.0.1:{free_port}"
    with pytest.raises(ClusterError, match=f"no Dask scheduler answers at '{address}' within 1 s"), cluster(address):
        pass


@pytest.mark.usefixtures("impatient")
def test_a_listener_that_never_speaks_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(ClusterError, match="no Dask scheduler answers"), cluster(address):
            pass


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("address", ["abc://x:1", "tcp://127.0.0.1:port", "tcp://", " "])
def test_what_is_no_address_is_told(address: str) -> None:
    with pytest.raises(ClusterError, match="expected tcp://HOST:PORT"), cluster(address):
        pass


# Who is there, but cannot do it


class Pretended:
    """A client whose one worker has some versions other than ours."""

    def __init__(self, *, workers: int = 1, **other: str) -> None:
        self.workers, self.other = workers, other

    def wait_for_workers(self, count: int, timeout: float) -> None:
        if self.workers < count:
            raise TimeoutError

    def run(self, function: Callable[[], dict[str, str]]) -> dict[str, dict[str, str]]:
        if "missing" in self.other:
            raise ModuleNotFoundError(f"No module named {self.other['missing']!r}")
        return {"tcp://worker:1": {**function(), **self.other}}


@pytest.fixture(autouse=True)
def _installed() -> None:
    pytest.importorskip("distributed")


def test_equal_versions_are_no_word_worth(capsys: pytest.CaptureFixture[str]) -> None:
    assert rooms._checked(Pretended(), "tcp://here:1") == 1
    assert capsys.readouterr().err == ""


def test_another_library_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    rooms._checked(Pretended(numpy="1.0"), "tcp://here:1")
    assert "worker tcp://worker:1: numpy 1.0 there, " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("client", "message"),
    [
        (Pretended(turnout="0.0.1"), "another Turnout: turnout 0.0.1 there, .* here"),
        (Pretended(features="other"), "another Turnout: features other there"),
        (Pretended(missing="turnout_pipelines"), "lack what trains: No module named 'turnout_pipelines'"),
        (Pretended(workers=0), "has no workers; start some with 'dask worker tcp://here:1'"),
    ],
)
def test_workers_that_cannot_do_it_are_refused(client: Pretended, message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        rooms._checked(client, "tcp://here:1")


# The real thing


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A scheduler with two worker processes of one thread each, started by command as an operator does."""
    pytest.importorskip("distributed")
    folder = tmp_path_factory.mktemp("cluster")
    file = folder / "scheduler.json"
    scheduler = ("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
    worker = ("worker", "--nthreads", "1", "--no-nanny", "--no-dashboard", "--scheduler-file", str(file))
    quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    running: list[subprocess.Popen[bytes]] = []
    try:
        running.extend(
            subprocess.Popen([sys.executable, "-m", "dask", *arguments], cwd=folder, **quiet)
            for arguments in (scheduler, worker, worker)
        )
        yield _ready(file, workers=2)
    finally:
        for process in reversed(running):
            process.kill()
            process.wait()


def _ready(file: Path, workers: int) -> str:
    """The scheduler's address, once so many workers have come."""
    distributed = pytest.importorskip("distributed")
    ends_s = time.monotonic() + 60.0
    while not file.exists() or not file.stat().st_size:
        assert time.monotonic() < ends_s, "no scheduler within a minute"
        time.sleep(0.1)
    with distributed.Client(scheduler_file=str(file), set_as_default=False, timeout=60.0) as client:
        client.wait_for_workers(workers, timeout=60.0)
        return str(client.scheduler.address)


@pytest.fixture(scope="module")
def table(history_slice: Slice) -> OutcomeTable:
    return read_outcomes([history_slice(120)])


def judged(table: OutcomeTable) -> Any:
    return evaluate(table, PAIR, n_folds=3, settings=FEW, quiet=True).p_success


@pytest.mark.slow
def test_folds_on_a_cluster_predict_the_same(address: str, table: OutcomeTable) -> None:
    with cluster(address):
        assert joblib.effective_n_jobs(None) == 2
        there = judged(table)
    np.testing.assert_allclose(there, judged(table), rtol=0, atol=1e-6)


@pytest.mark.slow
def test_features_and_a_fit_on_a_cluster_are_the_same(address: str, table: OutcomeTable) -> None:
    prompts = table.prompts["prompt"].tolist()
    with cluster(address):
        there = extract_all(prompts, quiet=True)
        fitted = fit(training_data(table, PAIR, there), settings=FEW)
    here = extract_all(prompts, quiet=True)
    np.testing.assert_array_equal(there.dense, here.dense)
    assert (there.ngrams != here.ngrams).nnz == 0
    again = fit(training_data(table, PAIR, here), settings=FEW)
    np.testing.assert_allclose(
        predict_table(fitted.predictor, here), predict_table(again.predictor, here), rtol=0, atol=1e-6
    )


@pytest.mark.slow
def test_trials_on_a_cluster_score_the_same(address: str, table: OutcomeTable) -> None:
    judge = OnTable.of(pool_of(table, PAIR, quiet=True))

    def look() -> list[tuple[int, float]]:
        found = search(judge, Budget(3), defaults=FEW, quiet=True)
        return [(trial.number, trial.score.interval.value) for trial in found.trials]

    with cluster(address):
        there = look()
    assert there == [(number, pytest.approx(value, abs=1e-6)) for number, value in look()]
