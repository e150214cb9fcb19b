"""How answers are judged afterwards: what can be configured, and what is refused with its place."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from turnout.config.loader import Loaded
from turnout.config.outcomes import AnswerJudge, Verifier
from turnout.config.problems import Problem


def test_nothing_is_verified_unless_it_is_asked_for(read: Callable[..., Loaded]) -> None:
    outcomes = read("{}").configuration.outcomes
    assert (outcomes.weights, outcomes.verifiers, outcomes.judge) == ({}, (), None)


def test_all_of_it_is_read(read: Callable[..., Loaded]) -> None:
    text = """
outcomes:
  weights: {judge: 0.3, confidence: 0.1, nightly tests: 2}
  verifiers:
    - name: compiles
      command: [python3, tools/compiles.py]
      when: code
      timeout_s: 5
      share: 0.5
  judge: {candidate: ollama/llama3.3, share: 0.01, threshold: 0.6}
  max_concurrent: 1
"""
    outcomes = read(text).configuration.outcomes
    assert outcomes.weights == {"judge": 0.3, "confidence": 0.1, "nightly tests": 2}
    assert outcomes.verifiers == (
        Verifier(name="compiles", command=("python3", "tools/compiles.py"), when=("code",), timeout_s=5, share=0.5),
    )
    assert outcomes.judge == AnswerJudge(candidate="ollama/llama3.3", share=0.01, threshold=0.6)
    assert outcomes.max_concurrent == 1


@pytest.mark.parametrize(
    ("text", "path", "told"),
    [
        ("verifiers: [{name: a, command: []}]", "outcomes.verifiers[0].command", "command is empty"),
        ("verifiers: [{name: a, command: rm -rf}]", "outcomes.verifiers[0].command", "expected a list"),
        ("verifiers: [{name: '', command: [a]}]", "outcomes.verifiers[0].name", "printable"),
        ("verifiers: [{name: a, command: [a], when: prose}]", "outcomes.verifiers[0].when", "expected template"),
        ("verifiers: [{name: a, command: [a], share: 2}]", "outcomes.verifiers[0].share", "must be at most 1"),
        ("verifiers: [{name: a, command: [a]}, {name: a, command: [b]}]", "outcomes.verifiers[1].name", "named 'a'"),
        ("weights: {judge: -1}", "outcomes.weights.judge", "must be at least 0"),
        ("judge: {candidate: llama}", "outcomes.judge.candidate", "expected provider/model"),
        ("judge: {candidate: olama/llama3.3}", "outcomes.judge.candidate", "no candidate, provider or pattern matches"),
        ("judge: {share: 0.1}", "outcomes.judge", "needs the key candidate"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_stands(
    refused: Callable[..., tuple[Problem, ...]], text: str, path: str, told: str
) -> None:
    (problem,) = refused(f"outcomes: {{{text}}}")
    assert problem.path == path and told in problem.message
