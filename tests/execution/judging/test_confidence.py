"""Confidence moves from what was expected by what was seen, and its file is trusted only as far as it can be."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.errors import ArtifactCorruptError, ArtifactError, ArtifactMismatchError, ArtifactMissingError
from turnout.execution.judging import DEFAULT_CONFIDENCE, SIGNAL_NAMES, ConfidenceModel, Judge, Signals, read_signals
from turnout.execution.judging.confidence import FILE
from turnout.types import Answer, Request

CLEAN = Signals(unfinished=False, refusal=False, loop=False, echo=False)
CODE = CLEAN._replace(code_broken=0.0, fence_open=False)
JSON = Signals(refusal=False, loop=False, echo=False, format_broken=False, format_wrapped=False)


def confidence(signals: Signals, prior: float = 0.8) -> float:
    return DEFAULT_CONFIDENCE.confidence(signals, prior)


def odds(p: float) -> float:
    return p / (1 - p)


@pytest.mark.parametrize("signals", [CLEAN, CODE, JSON, JSON._replace(calls_broken=False)])
def test_a_clean_answer_keeps_about_what_was_expected(signals: Signals) -> None:
    assert 0.8 <= confidence(signals) <= 0.85
    assert 0.3 <= confidence(signals, 0.3) <= 0.38 and 0.95 <= confidence(signals, 0.95) <= 0.97


@pytest.mark.parametrize(
    ("seen", "most"),
    [
        ({"empty": True}, 0.1),
        ({"format_broken": True}, 0.1),
        ({"calls_broken": True}, 0.1),
        ({"filtered": True}, 0.1),
        ({"loop": True}, 0.15),
        ({"refusal": True}, 0.2),
        ({"cut": True}, 0.35),
    ],
)
def test_trouble_takes_confidence_away(seen: dict[str, Any], most: float) -> None:
    assert confidence(CLEAN._replace(**seen)) < most
    assert confidence(CLEAN._replace(**seen), 0.95) < most + 0.05


def test_broken_code_halves_the_odds_or_more() -> None:
    for share in (0.5, 1.0):
        assert odds(confidence(CODE._replace(code_broken=share))) < 0.6 * odds(0.8)
    assert odds(confidence(CODE._replace(code_broken=1.0))) < 0.5 * odds(0.8)


def test_wrapped_json_is_softer_than_broken_json() -> None:
    wrapped = confidence(JSON._replace(format_wrapped=True))
    assert confidence(JSON._replace(format_broken=True)) < 0.1 < 0.4 < wrapped < 0.7


def test_log_probabilities_move_it_gently() -> None:
    def doubtful(mean: float, tenth: float, low: float) -> float:
        return confidence(CLEAN._replace(logprob_mean=mean, logprob_p10=tenth, logprob_low=low))

    sure, usual, unsure = doubtful(-0.05, -0.2, 0.01), doubtful(-0.25, -0.8, 0.08), doubtful(-1.0, -3.0, 0.35)
    assert sure > usual > unsure
    assert usual == pytest.approx(confidence(CLEAN), abs=0.01)
    assert unsure > 0.6 and sure < 0.87


def test_agreement_speaks_for_an_answer_and_dissent_against_it() -> None:
    alone, none, half, full = (confidence(CLEAN._replace(agreement=share)) for share in (None, 0.0, 0.5, 1.0))
    assert none < half < full and half == pytest.approx(alone)
    assert odds(full) / odds(alone) == pytest.approx(3.0, rel=0.05)


@given(
    st.floats(),
    st.fixed_dictionaries(
        {
            "cut": st.booleans(),
            "refusal": st.sampled_from([None, True, False]),
            "code_broken": st.none() | st.floats(0, 1),
            "logprob_mean": st.none() | st.floats(-20, 0),
            "agreement": st.none() | st.floats(0, 1),
        }
    ).map(lambda seen: Signals(**seen)),
)
def test_confidence_is_a_probability_for_any_prior(prior: float, signals: Signals) -> None:
    value = confidence(signals, prior)
    assert 0 < value < 1
    rows = DEFAULT_CONFIDENCE.predict(signals.vector()[None], np.array([prior]))
    assert rows == pytest.approx([value], rel=1e-12)


def test_no_trouble_ever_raises_confidence() -> None:
    for name, weight in zip(SIGNAL_NAMES, DEFAULT_CONFIDENCE.weights, strict=True):
        if not name.startswith(("logprob", "agreement")) and not name.endswith("_known"):
            assert weight <= 0, name


def test_the_default_says_that_nobody_fitted_it() -> None:
    assert "by hand" in DEFAULT_CONFIDENCE.fitted and not DEFAULT_CONFIDENCE.figures


def test_a_model_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    model = replace(DEFAULT_CONFIDENCE, bias=0.25, prior_weight=0.9, fitted="to a test", figures={"brier": 0.1})
    model.save(tmp_path / FILE)
    loaded = ConfidenceModel.load(tmp_path / FILE)
    assert loaded.weights.tolist() == model.weights.tolist()
    assert replace(loaded, weights=model.weights) == model
    assert loaded.confidence(CLEAN, 0.7) == model.confidence(CLEAN, 0.7)


def stored(folder: Path, **changes: Any) -> Path:
    DEFAULT_CONFIDENCE.save(folder / FILE)
    content = json.loads((folder / FILE).read_text("utf-8"))
    (folder / FILE).write_text(json.dumps({**content, **changes}), "utf-8")
    return folder / FILE


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ArtifactMissingError, match=r"confidence\.json"):
        ConfidenceModel.load(tmp_path / FILE)
    with pytest.raises(ArtifactMissingError):
        ConfidenceModel.load(tmp_path)


@pytest.mark.parametrize(
    "changes", [{"signals": list(SIGNAL_NAMES[:-1])}, {"signals": list(SIGNAL_NAMES[::-1])}, {"format": 2}]
)
def test_a_file_for_other_signals_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ArtifactMismatchError, match="other signals"):
        ConfidenceModel.load(stored(tmp_path, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": [1.0]},
        {"weights": "none"},
        {"weights": [math.nan] * len(SIGNAL_NAMES)},
        {"bias": None},
        {"bias": math.inf},
        {"prior_weight": "x"},
        {"figures": []},
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ArtifactCorruptError):
        ConfidenceModel.load(stored(tmp_path, **changes))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff", b"null", b"[" * 100_000, b" " * (2 << 20)])
def test_any_other_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(ArtifactCorruptError):
        ConfidenceModel.load(tmp_path / FILE)


def test_a_judge_gives_confidence_and_signals(tmp_path: Path) -> None:
    request, answer = Request.of("how to?"), Answer("a/b", "b", "I can't help with that.")
    value, signals = Judge.load()(request, answer, 0.8)
    assert value < 0.2 and signals["refusal"] is True
    assert None not in signals.values() and Signals.from_json(signals) == read_signals(request, answer)
    DEFAULT_CONFIDENCE.save(tmp_path / FILE)
    assert Judge.load(tmp_path / FILE)(request, answer, 0.8) == (value, signals)
    assert Judge()(request, answer, 0.8, agreement=1.0)[0] > value
    with pytest.raises(ArtifactError):
        Judge.load(tmp_path)
