"""What others import, and what they may rely on."""

from __future__ import annotations

import dataclasses
import inspect
import re
import tomllib
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import pytest

import turnout
from turnout import Decision, Message, Ranked, Request, Router, Task, TurnoutError, errors

ROOT = Path(__file__).parents[1]
ERRORS = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, Exception) and value.__module__ == errors.__name__
]


def test_every_exported_name_exists_and_is_listed_once() -> None:
    assert len(set(turnout.__all__)) == len(turnout.__all__)
    assert all(hasattr(turnout, name) for name in turnout.__all__)


def test_what_the_contract_names_is_exported() -> None:
    assert {"Router", "Request", "Message", "Decision", "Ranked", "Task", "TurnoutError"} <= set(turnout.__all__)


def test_one_version_is_told_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert turnout.__version__ == project["version"] == version("turnout")


def test_serving_brings_no_training_library() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = {re.split(r"[<>=~!\[ ]", entry)[0] for entry in project["dependencies"]}
    assert "numpy" in base
    assert not base & {"pandas", "scikit-learn", "scipy", "pyarrow", "mlflow", "joblib", "matplotlib", "torch"}


def test_type_checkers_are_told_that_the_package_is_typed() -> None:
    assert files("turnout").joinpath("py.typed").is_file()


def test_the_decision_of_the_contract_has_its_four_fields(router: Router) -> None:
    decision = router.route("prompt or messages", preference="balanced")
    assert isinstance(decision.candidate, str)
    assert isinstance(decision.confidence, float)
    assert isinstance(decision.reason, str)
    assert all(isinstance(entry, Ranked) for entry in decision.ranking)


def test_route_takes_a_request_and_a_preference_that_is_balanced_by_default(router: Router) -> None:
    parameters = inspect.signature(Router.route).parameters
    assert list(parameters) == ["self", "request", "preference", "hints", "snapshot", "wish", "pinned"]
    assert router.route("sort this list").preference == "balanced"


def test_router_load_needs_no_path() -> None:
    assert inspect.signature(Router.load).parameters["path"].default is None


@pytest.mark.parametrize("value", [Decision, Message, Ranked, Request, Task])
def test_the_words_of_the_project_are_frozen_values(value: type) -> None:
    assert dataclasses.is_dataclass(value)
    assert value.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert "__slots__" in vars(value)


def test_a_decision_cannot_be_changed_afterwards(router: Router) -> None:
    decision = router.route("hello")
    with pytest.raises(dataclasses.FrozenInstanceError):
        decision.candidate = "another"  # type: ignore[misc]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_is_a_turnout_error_and_says_when_it_is_raised(error: type[Exception]) -> None:
    assert issubclass(error, TurnoutError)
    assert inspect.getdoc(error)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_stands_in_the_tree_at_the_top_of_its_module(error: type[Exception]) -> None:
    assert re.search(rf"\b{error.__name__}\b", str(errors.__doc__))


def test_the_error_for_a_missing_extra_says_how_to_install_it() -> None:
    error = errors.MissingExtraError("train", "'turnout train'")
    assert error.extra == "train"
    assert "pip install 'turnout[train]'" in str(error)
