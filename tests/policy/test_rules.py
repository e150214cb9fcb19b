"""A book of rules: first match wins inside an effect, prohibitions add up and win, targets mean whom they say."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.expressions import ExpressionError
from turnout.config.rules import Effects, Prefer, Rule
from turnout.policy.facts import Facts
from turnout.policy.requested import Requested
from turnout.policy.rules import Forced, Preferred, RuleBook, Spoken, Verdict
from turnout.types import Request, Task

CANDIDATES = ("ollama/small", "ollama/qwen:7b", "lmstudio/coder", "lmstudio/qwen-32b", "cloud/big")
TASK = Task("template", {"template": 1.0}, "complex", 8.0, {"complex": 1.0}, "strong", 0.9)


def rule(name: str, when: str = "true", **effects: Any) -> Rule:
    return Rule(name=name, when=when, then=Effects(**effects), description=f"about {name}")


def book(*rules: Rule, **options: Any) -> RuleBook:
    return RuleBook(rules, CANDIDATES, **options)


def facts(rules: RuleBook, files: int = 0, **said: Any) -> Facts:
    request = replace(Request.of("write a dockerfile"), files=("f",) * files)
    return rules.facts(Requested(request, TASK, **said))


def verdict(*rules: Rule, files: int = 0) -> Verdict:
    made = book(*rules)
    return made.apply(facts(made, files))


def test_a_rule_that_holds_names_itself_in_what_it_does() -> None:
    said = verdict(rule("templates stay small", "taskType == 'template'", force=("ollama/small",)))
    assert said.forced == Forced(("ollama/small",), "templates stay small")
    assert said.rules == (Spoken("templates stay small", "about templates stay small", ("force",)),)
    assert said.by("force") == "templates stay small" and said.by("hold") == ""


def test_the_rules_of_the_older_system_run_unchanged() -> None:
    rules = (
        rule("a", "taskType == 'template'", force=("ollama/small",)),
        rule("b", "complexity == 'complex' && files > 5", prefer=Prefer(target=("strong",))),
    )
    few, many = verdict(*rules, files=5), verdict(*rules, files=6)
    assert few.preferred is None and few.forced is not None
    assert many.preferred == Preferred(("lmstudio/qwen-32b", "cloud/big"), 0.8, "b")


def test_nothing_is_said_where_no_rule_holds_or_none_is_there() -> None:
    assert verdict() == verdict(rule("a", "files > 3", hold=True)) == Verdict()


def test_the_first_rule_wins_inside_an_effect() -> None:
    said = verdict(
        rule("a", "files > 99", threshold=0.1, hold=True),
        rule("b", threshold=0.2, preference="fast"),
        rule("c", threshold=0.3, preference="quality", hold=True, require_local=True),
    )
    assert (said.threshold, said.preference, said.hold, said.require_local) == (0.2, "fast", True, True)
    assert [(entry.name, entry.effects) for entry in said.rules] == [
        ("b", ("preference", "threshold")),
        ("c", ("hold", "require_local")),
    ]


def test_an_earlier_rule_can_switch_off_what_a_later_one_would_set() -> None:
    said = verdict(rule("a", hold=False, require_local=False), rule("b", hold=True, require_local=True))
    assert not said.hold and not said.require_local
    assert said.by("hold") == "a"


def test_every_rule_that_forbids_is_heard_and_the_first_is_named() -> None:
    said = verdict(
        rule("a", forbid=("cloud",)), rule("b", forbid=("cloud/big", "ollama/small")), rule("c", forbid=("cloud",))
    )
    assert said.forbidden == {"cloud/big": "a", "ollama/small": "b"}
    assert [entry.name for entry in said.rules] == ["a", "b"]


def test_a_prohibition_wins_over_force_and_prefer() -> None:
    said = verdict(
        rule("a", force=("cloud/big", "ollama"), prefer=Prefer(target=("cloud/big",))),
        rule("b", prefer=Prefer(target=("cloud", "lmstudio/coder"), confidence=0.6)),
        rule("c", forbid=("cloud/*",)),
    )
    assert said.forced == Forced(("ollama/small", "ollama/qwen:7b"), "a")
    assert said.preferred == Preferred(("lmstudio/coder",), 0.6, "b")


def test_a_force_whose_targets_are_all_forbidden_leaves_nobody() -> None:
    rules = [rule("a", force=("cloud/big",)), rule("b", force=("ollama/small",)), rule("c", forbid=("cloud",))]
    assert verdict(*rules).forced == Forced((), "a")
    assert verdict(rules[1], rules[2]).forced == Forced(("ollama/small",), "b")


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ("ollama/small", ("ollama/small",)),
        ("ollama", ("ollama/small", "ollama/qwen:7b")),
        ("ollama/*", ("ollama/small", "ollama/qwen:7b")),
        ("*/qwen*", ("ollama/qwen:7b", "lmstudio/qwen-32b")),
        ("l*", ("lmstudio/coder", "lmstudio/qwen-32b")),
        ("fast", ("ollama/small", "ollama/qwen:7b", "lmstudio/coder")),
        ("strong", ("lmstudio/qwen-32b", "cloud/big")),
    ],
)
def test_a_target_is_a_candidate_a_provider_a_pattern_or_a_tier(target: str, meant: tuple[str, ...]) -> None:
    said = verdict(rule("a", force=(target,)))
    assert said.forced is not None and said.forced.candidates == meant


def test_targets_keep_their_order_and_name_nobody_twice() -> None:
    said = verdict(rule("a", force=("cloud/big", "ollama/qwen:7b", "ollama")))
    assert said.forced is not None and said.forced.candidates == ("cloud/big", "ollama/qwen:7b", "ollama/small")


def test_tiers_may_be_told() -> None:
    made = book(rule("a", force=("strong",)), tiers={"strong": ["lmstudio/coder"]})
    assert made.apply(facts(made)).forced == Forced(("lmstudio/coder",), "a")


def test_a_single_candidate_is_of_both_tiers() -> None:
    made = RuleBook([rule("a", force=("strong",)), rule("b", prefer=Prefer(target=("fast",)))], ["x/y"])
    said = made.apply(facts(made))
    assert said.forced is not None and said.preferred is not None


def test_a_force_for_nobody_there_is_leaves_nobody_and_is_told() -> None:
    made = book(rule("a", force=("nobody/*", "gone/x")), rule("b", force=("ollama/small", "gone")))
    assert made.unmatched == (("a", "nobody/*"), ("a", "gone/x"), ("b", "gone"))
    assert made.apply(facts(made)).forced == Forced((), "a")


def test_new_candidates_are_meant_without_compiling_again() -> None:
    made = book(rule("a", "files > 1", force=("new",)))
    other = made.with_candidates([*CANDIDATES, "new/x"])
    assert made.apply(facts(made, 2)).forced == Forced((), "a")
    assert other.apply(facts(other, 2)).forced == Forced(("new/x",), "a")
    assert not other.unmatched and len(other) == 1


def test_rules_that_wait_for_the_predictor_are_heard_at_their_place_in_the_order() -> None:
    made = book(
        rule("unsure", "confidence < 0.6 || margin < 0.05", threshold=0.9, prefer=Prefer(target=("cloud",))),
        rule("always", threshold=0.5),
        rule("late", "confidence < 0.6", threshold=0.1, hold=True),
    )
    known = facts(made)
    first = made.apply(known)
    assert made.asks_after_prediction
    assert (first.threshold, first.preferred) == (0.5, None)
    sure = made.apply_after(known, first, confidence=0.8, margin=0.3)
    assert sure is first
    unsure = made.apply_after(known, first, confidence=0.5, margin=0.3)
    assert (unsure.threshold, unsure.by("threshold"), unsure.hold) == (0.9, "unsure", True)
    assert unsure.preferred == Preferred(("cloud/big",), 0.8, "unsure")
    assert made.apply(known) == first


def test_without_such_rules_nothing_is_evaluated_again() -> None:
    made = book(rule("a", threshold=0.5))
    known = facts(made)
    said = made.apply(known)
    assert not made.asks_after_prediction
    assert made.apply_after(known, said, confidence=0.1, margin=0.0) is said


def test_a_rule_that_is_switched_off_is_not_heard() -> None:
    made = book(replace(rule("a", hold=True), enabled=False))
    assert len(made) == 0 and not made.apply(facts(made)).hold


def test_a_wrong_condition_is_refused_with_the_name_of_its_rule() -> None:
    with pytest.raises(ExpressionError, match=r"rule 'big files': unknown variable file; did you mean files\?"):
        book(rule("big files", "file > 3", hold=True))
    with pytest.raises(ExpressionError, match="no provider olama"):
        book(rule("a", "provider.olama.healthy", hold=True), providers=["ollama"])


def test_a_condition_that_fails_does_not_hold_and_is_counted() -> None:
    made = book(rule("a", "10 / files > 1", hold=True), rule("b", threshold=0.5))
    said = made.apply(facts(made, 0))
    assert not said.hold and said.threshold == 0.5
    assert made.failures == {"a": 1}
    assert made.apply(facts(made, 2)).hold


def test_secrets_decide_where_a_rule_reads_them() -> None:
    made = book(rule("private", "size(secrets) > 0", require_local=True), scan=lambda _: ("aws_key",))
    assert made.reads_secrets and not book(rule("a", hold=True)).reads_secrets
    assert made.apply(facts(made)).require_local
    assert not made.apply(facts(made, secrets=())).require_local


def test_a_verdict_never_changes() -> None:
    said = verdict(rule("a", forbid=("cloud",)))
    with pytest.raises(TypeError):
        said.forbidden["x"] = "y"  # type: ignore[index]
    with pytest.raises(AttributeError):
        said.hold = True  # type: ignore[misc]


EFFECTS = st.fixed_dictionaries(
    {},
    optional={
        "force": st.lists(st.sampled_from([*CANDIDATES, "ollama", "*/q*", "fast", "nobody"]), min_size=1).map(tuple),
        "forbid": st.lists(st.sampled_from([*CANDIDATES, "cloud", "strong"]), min_size=1).map(tuple),
        "threshold": st.floats(0, 1),
        "hold": st.booleans(),
    },
).filter(bool)


@given(st.lists(st.tuples(EFFECTS, st.integers(0, 3)), max_size=6), st.integers(0, 3))
def test_whatever_the_rules_nobody_forbidden_is_forced_and_the_first_threshold_counts(
    drawn: list[tuple[dict[str, Any], int]], files: int
) -> None:
    rules = [rule(f"r{n}", f"files >= {least}", **effects) for n, (effects, least) in enumerate(drawn)]
    said = verdict(*rules, files=files)
    held = [effects for effects, least in drawn if files >= least]
    assert said.forced is None or not said.forbidden.keys() & set(said.forced.candidates)
    assert said.threshold == next((effects["threshold"] for effects in held if "threshold" in effects), None)
    assert said.hold == next((effects["hold"] for effects in held if "hold" in effects), False)
    assert len(said.matched) == len(held)
    assert all(entry.effects for entry in said.rules)


def test_thirty_rules_take_microseconds() -> None:
    rules = [rule(f"r{n}", f"taskType == 'edit' && files > {n}", threshold=0.5) for n in range(30)]
    made = book(*rules)
    known = facts(made)
    times = []
    for _ in range(200):
        started = time.perf_counter()
        made.apply(known)
        times.append(time.perf_counter() - started)
    assert min(times) < 300e-6


def test_a_comparison_with_what_is_absent_is_the_engines_to_judge() -> None:
    made = book(
        rule("a", "resources.vram_free_mb < 4000", hold=True),
        rule("b", "resources.vram_free_mb < 4000 || files == 0", threshold=0.5),
    )
    said = made.apply(facts(made, 0))
    assert (said.hold, said.threshold) == (False, 0.5)
    assert made.failures == {"a": 1}


def test_rules_that_compare_and_others_are_heard_in_one_order() -> None:
    made = book(
        rule("compares", "files > 3", threshold=0.1),
        rule("counts", "files * 2 > 3", threshold=0.2),
        rule("compares too", "files > 1 || confidence > 2.0", threshold=0.3),
    )
    for files, threshold in ((0, None), (2, 0.2), (4, 0.1)):
        known = facts(made, files)
        said = made.apply(known)
        assert said.threshold == threshold
        assert made.apply_after(known, said, confidence=0.5, margin=0.0).threshold == threshold


def test_a_verdict_that_was_forgotten_is_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnout.policy.rules._REMEMBERED", 3)
    made = book(*(rule(f"r{n}", f"files >= {n}", threshold=0.5, hold=True) for n in range(6)))
    for files in (*range(6), *range(6)):
        said = made.apply(facts(made, files))
        assert said.matched == tuple(range(files + 1))
        assert (said.by("hold"), said.threshold) == ("r0", 0.5)
