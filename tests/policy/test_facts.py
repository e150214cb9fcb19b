"""The facts of a request: each variable as documented, only what is read, and never those of another request."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.expression_variables import MAX_ENTRIES, MAX_TEXT, VARIABLES
from turnout.config.expressions import compile_rule
from turnout.policy.facts import Facts, FactSheet
from turnout.policy.mentions import HEAD_CHARS, TAIL_CHARS, keywords, known_words, languages, words_of
from turnout.policy.requested import Requested
from turnout.types import (
    CandidateState,
    Hints,
    Image,
    LanguageModel,
    Message,
    ProviderState,
    Request,
    Resources,
    Snapshot,
    Task,
    Tool,
)

TASK = Task("edit", {"edit": 1.0}, "medium", 5.5, {"medium": 1.0}, "fast", 0.25)
GIB = 1 << 30


def state(name: str, *, loaded: bool = True, running: int = 0, waiting: int = 0, problem: str = "") -> CandidateState:
    model = LanguageModel(name=name.partition("/")[2], loaded=loaded, remote=name.startswith("cloud"))
    return CandidateState(candidate=name, model=model, running=running, waiting=waiting, problem=problem)


def snapshot(*states: CandidateState, down: Sequence[str] = (), vram: int | None = 4 * GIB) -> Snapshot:
    names = {entry.candidate.partition("/")[0] for entry in states}
    return Snapshot(
        taken_s=0.0,
        providers={
            name: ProviderState(
                provider=name,
                available=name not in down,
                observed_s=0.0,
                models=tuple(entry.model for entry in states if entry.model and entry.candidate.startswith(f"{name}/")),
            )
            for name in names
        },
        candidates={entry.candidate: entry for entry in states},
        resources=Resources(
            sampled_s=0.0, ram_total_bytes=32 * GIB, ram_free_bytes=8 * GIB, cpu_share=0.25, vram_free_bytes=vram
        ),
    )


SEEN = snapshot(
    state("ollama/a", running=1, waiting=2),
    state("ollama/b", loaded=False),
    state("lmstudio/c", problem="left alone after failures"),
    state("cloud/d"),
    down=["cloud"],
)


def facts_of(
    sheet: FactSheet, request: Request | str = "hello", snapshot: Snapshot | None = None, **said: Any
) -> Facts:
    """What a sheet makes of a request, what is said beside it, and what is seen outside."""
    seen = sheet.seen(snapshot) if snapshot is not None else None
    return sheet.of(Requested(Request.of(request), TASK, **said), seen)


def holds(condition: str, request: Request | str = "hello", snapshot: Snapshot | None = SEEN, **said: Any) -> bool:
    """Whether the engine says so; a comparison that stands in for it must say the same."""
    rule = compile_rule(condition)
    sheet = FactSheet([rule], hour=lambda: 14)
    facts = facts_of(sheet, request, snapshot, **said)
    found = rule.evaluate(facts.context)
    compared = sheet.compared[0]
    if compared is None:
        assert rule.evaluate(facts.lean_context) == found
    elif not rule.failures:
        assert compared(facts.layers) == found
    return found


@pytest.mark.parametrize(
    "condition",
    [
        "task_type == 'edit'",
        "complexity == 'medium' && complexity_score == 5.5",
        "tier == 'fast' && tier_score == 0.25",
        "files == 2",
        "tools == 1",
        "images == 1",
        "turns == 2",
        "prompt_chars == 19",
        "prompt_tokens > 10 && prompt_tokens < 60",
        "'rename' in keywords && !('bug' in keywords)",
        "'python' in languages",
        "preference == 'quality'",
        "conversation.present && conversation.turns == 1 && conversation.candidate == 'ollama/a'",
        "header.x_team == 'core'",
        "has(header.x_team) && !has(header.other)",
        "header.other == null",
        "hour == 14",
        "secrets == ['jwt']",
        "provider.ollama.available && provider.ollama.healthy",
        "provider.ollama.loaded == ['a'] && provider.ollama.running == 1 && provider.ollama.waiting == 2",
        "provider.lmstudio.available && !provider.lmstudio.healthy",
        "!provider.cloud.available && !provider.cloud.healthy",
        "!provider.unheard_of.available && provider.unheard_of.running == 0",
        "candidate['ollama/a'].loaded && candidate['ollama/a'].running == 1 && candidate['ollama/a'].available",
        "!candidate['ollama/b'].loaded && !candidate['ollama/b'].remote && candidate['ollama/b'].breaker == 'closed'",
        "!candidate['lmstudio/c'].available",
        "candidate['cloud/d'].remote",
        "!candidate['cloud/nobody'].available && !candidate['cloud/nobody'].loaded",
        "candidate.exists(c, candidate[c].waiting == 2)",
        "size(candidate) == 4 && size(provider) == 3",
        "provider.exists(p, !provider[p].available)",
        "resources.ram_free_mb == 8192 && resources.vram_free_mb == 4096 && resources.cpu_percent == 25",
    ],
)
def test_each_variable_is_what_its_meaning_says(condition: str) -> None:
    request = Request(
        messages=(
            Message("user", "hello", images=(Image("data:image/png;base64,AA"),)),
            Message("assistant", "hi"),
            Message("user", "rename it in a.py!!"),
        ),
        tools=(Tool("search"),),
        files=("a.py", "b.py"),
    )
    hints = Hints(conversation="c1", headers={"X-Team": "core"})
    assert holds(condition, request, preference="quality", hints=hints, last_candidate="ollama/a", secrets=["jwt"])


def test_every_variable_that_a_condition_may_read_is_made() -> None:
    rules = [compile_rule(f"type({name}) == 'x'") for name in VARIABLES]
    facts = facts_of(FactSheet(rules)).after(0.5, 0.1)
    for rule in rules:
        rule.evaluate(facts.context)
        assert not rule.failures


def test_only_what_conditions_read_is_made() -> None:
    sheet = FactSheet([compile_rule("files > 3 && provider.ollama.healthy")])
    assert set(facts_of(sheet).values) == {"files", "provider__ollama__healthy"}


def test_nothing_known_of_the_outside_is_no_error() -> None:
    assert holds("!provider.ollama.healthy && !candidate['a/b'].available", snapshot=None)
    assert not holds("resources.vram_free_mb < 4000", snapshot=None)
    assert not holds("resources.vram_free_mb < 4000", snapshot=snapshot(vram=None))
    assert holds("!has(resources.vram_free_mb) && has(resources.ram_free_mb)", snapshot=snapshot(vram=None))


def test_secrets_are_looked_for_only_where_a_condition_asks() -> None:
    asked: list[Request] = []

    def scan(request: Request) -> list[str]:
        asked.append(request)
        return ["aws_key"]

    request = Request.of("hello")
    facts_of(FactSheet([compile_rule("files > 3")], scan), request)
    assert not asked
    rule = compile_rule("'aws_key' in secrets")
    assert rule.evaluate(facts_of(FactSheet([rule], scan), request).context)
    assert asked == [request]
    assert not rule.evaluate(facts_of(FactSheet([rule], scan), request, secrets=()).context)
    assert len(asked) == 1


def test_a_context_holds_the_values_of_its_own_request_only() -> None:
    rule = compile_rule("files == 1 && 'bug' in keywords && preference == 'fast'")
    sheet = FactSheet([rule])
    one = facts_of(sheet, Request((Message("user", "a bug"),), files=("a",)), preference="fast")
    other = facts_of(sheet, "rename", preference=0.5)
    for _ in range(3):
        assert rule.evaluate(one.context)
        assert not rule.evaluate(other.context)


def test_threads_do_not_see_the_values_of_one_another() -> None:
    rule = compile_rule("prompt_chars == files && header.n == string(files)")
    sheet = FactSheet([rule])

    def check(n: int) -> bool:
        request = Request((Message("user", "x" * (n % 50 + 1)),), files=("f",) * (n % 50 + 1))
        facts = facts_of(sheet, request, hints=Hints(headers={"N": str(n % 50 + 1)}))
        return all(rule.evaluate(facts.context) and rule.evaluate(facts.lean_context) for _ in range(5))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(check, range(400)))


def test_what_the_predictor_said_is_there_only_afterwards() -> None:
    rule = compile_rule("confidence < 0.6 && margin < 0.1")
    facts = facts_of(FactSheet([rule]))
    assert not facts.values
    assert facts.after(0.5, 0.05).values == {"confidence": 0.5, "margin": 0.05}
    assert rule.evaluate(facts.after(0.5, 0.05).context)
    assert not rule.evaluate(facts.after(0.7, 0.05).context)
    assert rule.failures == 0


def test_what_callers_send_is_bounded() -> None:
    headers = {f"h{n}": "v" * 10_000 for n in range(10_000)}
    rule = compile_rule("header.all(h, header[h].size() < 1)")
    values = facts_of(FactSheet([rule]), hints=Hints(headers=headers)).values["header"]
    assert len(values) == MAX_ENTRIES and {len(value) for value in values.values()} == {MAX_TEXT}


@given(st.text(), st.dictionaries(st.text(max_size=5), st.text(max_size=5)), st.text(max_size=5), st.floats())
def test_no_text_breaks_the_facts(prompt: str, headers: dict[str, str], last: str, preference: float) -> None:
    rule = compile_rule(
        "'bug' in keywords || 'go' in languages || has(header.a) || header.exists(h, h == 'x') "
        "|| conversation.candidate == last || preference == 'fast' || prompt_chars > 3".replace("last", "'x'")
    )
    facts = facts_of(
        FactSheet([rule]),
        prompt + "\ud800",
        hints=Hints(headers=headers),
        last_candidate=last,
        preference=preference,
    )
    rule.evaluate(facts.context)
    assert not rule.failures


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ("Refactoring the AUTH module, please", ["authentication", "refactor"]),
        ("there is a race-condition; latency is bad", ["performance", "race"]),
        ("debugger buggies tracery", []),
        ("", []),
    ],
)
def test_keywords_are_whole_words_in_any_form(prompt: str, found: list[str]) -> None:
    assert keywords(words_of(prompt)) == found


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ("port this from C++ to Rust", ["cpp", "rust"]),
        ("go and see", []),
        ("```go\nfunc main() {}\n```", ["go"]),
        ("```Python\nx\n```\n```c\nx\n```\n```text\nx\n```", ["c", "python"]),
        ("main.py and app.tsx", ["python", "typescript"]),
    ],
)
def test_languages_are_named_or_stand_behind_a_fence(prompt: str, found: list[str]) -> None:
    assert languages(prompt, words_of(prompt)) == found


def test_only_head_and_tail_of_a_long_prompt_are_read_for_words() -> None:
    filler = "x " * HEAD_CHARS
    assert keywords(words_of(f"bug {filler} typo")) == ["bug", "typo"]
    assert keywords(words_of(f"{filler} bug {filler}")) == []
    assert sum(map(len, words_of("y" * 10**6))) <= HEAD_CHARS + TAIL_CHARS


def test_making_facts_takes_microseconds() -> None:
    rules = [compile_rule(text) for text in ("taskType == 'edit'", "'bug' in keywords", "provider.ollama.healthy")]
    sheet, request = FactSheet(rules), Request.of("fix the bug " * 20)
    times = []
    for _ in range(200):
        started = time.perf_counter()
        _ = facts_of(sheet, request, SEEN).context
        times.append(time.perf_counter() - started)
    assert min(times) < 200e-6


def test_known_words_are_enough_for_keywords_and_languages() -> None:
    prompt = "Refactor the auth of main.py, then port it to ```go\nfunc main() {}\n``` and fix C++ bugs"
    known = known_words(prompt)
    assert known == {b"refactor", b"auth", b"py", b"c++", b"bugs"}
    assert keywords(known) == keywords(words_of(prompt)) == ["authentication", "bug", "refactor"]
    assert languages(prompt, known) == languages(prompt, words_of(prompt)) == ["cpp", "go", "python"]
