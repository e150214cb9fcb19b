"""What judging costs: figures of docstrings, held with room for a slow machine, and the worst that anybody thought of.

Times are processor seconds of this thread, the best of some, without what the collector of garbage takes.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from turnout.execution.judging import Judge, read_signals
from turnout.types import Answer, JsonSchema, Request, TokenLogprob, Tool, ToolCall

ROOT = Path(__file__).parents[3]
PROMPT = "why does my build fail with exit code 137 in docker? it worked yesterday and only the base image is new"
PROSE = (
    "The build fails because the linker cannot find the library. Set LD_LIBRARY_PATH to the folder that holds it, or install "
    "the package for your distribution. After that, run make clean once, since the stale object files still name the old "
    "path. If the error comes back, look at the output of ldd and compare the versions; a mismatch of the major version is "
    "the usual reason. Finally, pin the version in the lock file so that the next update of the base image does not bring "
    "the problem back to all of you."
)
HOSTILE_MS = 50.0
"""Measured: 10 on a quiet machine. The promise is 20."""


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    Judge.warm()
    gc.disable()
    yield
    gc.enable()


def taken_ms(request: Request, answer: Answer, tries: int) -> float:
    best_s = float("inf")
    for _ in range(tries):
        begun_s = time.thread_time()
        read_signals(request, answer)
        best_s = min(best_s, time.thread_time() - begun_s)
    return 1e3 * best_s


def test_prose_takes_a_twentieth_of_a_millisecond() -> None:
    assert 480 <= len(PROSE) <= 520
    for text in (PROSE, " ".join([PROSE[:-1], *PROSE.split(". "), PROSE])):
        assert taken_ms(Request.of(PROMPT), Answer("a/b", "b", text), 200) < 3 * 0.05


def test_code_of_20_kb_takes_two_milliseconds() -> None:
    files = [path.read_text("utf-8") for path in sorted((ROOT / "src" / "turnout" / "policy").glob("*.py"))]
    python = "".join(files).replace("from __future__ import annotations\n", "")[:20_000]
    function = 'function f{}(a, b) {{\n  // it\'s fine\n  return `a ${{b}}` + "q" + (a[{}] * b);\n}}\n'
    script = "".join(function.format(number, number) for number in range(250))[:20_000]
    for text in (f"```python\n{python}\n```", f"```js\n{script}(\n```", python):
        assert taken_ms(Request.of(PROMPT), Answer("a/b", "b", text), 20) < 3 * 2.0


LABELS = ("python", "yaml", "json", "toml", "xml", "js", "java", "sql", "ruby", "go", "")
UNITS = (
    *(
        "```",
        "```python\n",
        "~~~\n`",
        "\n",
        " ",
        "(",
        "([{",
        "{",
        '"',
        "'",
        "`",
        "\\",
        '\\"',
        "/*",
        "//",
        "#",
        "--",
        '"""',
        "'''",
    ),
    *(
        "lambda:",
        "not ",
        "a<",
        "a.",
        "a = ",
        "a, ",
        "a if b else ",
        "if a:\n ",
        "- ",
        "? ",
        "a: ",
        "&a ",
        "[a]\n",
        "<a>",
        "<a b='",
    ),
    *(
        "<!--",
        "é",
        "漢",
        "i can't ",
        "ich kann nicht ",
        "我无法",
        "できません ",
        "sorry i ",
        "in one word ",
        "the ",
        ". ",
        "a\n",
    ),
    *("write a python function ", "f(a ", "<tool_call>", "\x00", "\ud800", "0", "1e9 "),
)


@pytest.mark.parametrize("unit", UNITS)
def test_repeated_signs_take_no_longer_anywhere(unit: str) -> None:
    for size in (5_000, 24_000, 300_000):
        text = unit * (size // len(unit))
        request = Request.of(text[:4_000])
        assert taken_ms(request, Answer("a/b", "b", text), 2) < HOSTILE_MS
    for label in LABELS:
        for size in (2_400, 4_900, 19_900, 23_900):
            text = unit * (size // len(unit))
            assert taken_ms(Request.of(PROMPT), Answer("a/b", "b", f"```{label}\n{text}\n```"), 2) < HOSTILE_MS, (
                label,
                size,
            )


def test_heaps_of_signs_take_no_longer() -> None:
    chance = random.Random(11)
    for _ in range(60):
        text = "".join(chance.choices(UNITS, k=chance.choice((300, 3_000, 30_000))))
        text = f"```{chance.choice(LABELS)}\n{text}" if chance.random() < 0.5 else text
        assert taken_ms(Request.of(text[:2_000]), Answer("a/b", "b", text), 2) < HOSTILE_MS


def test_much_of_everything_takes_no_longer() -> None:
    schema = {"items": {"anyOf": [{"type": "integer"}, {"pattern": "^[a-z]+$"}]}}
    logprobs = tuple(TokenLogprob("a", -0.1) for _ in range(60_000))
    request = replace(
        Request.of(PROMPT * 10_000),
        answer_format=JsonSchema(schema),
        tools=tuple(Tool(f"tool{n}", "x" * 500, schema) for n in range(100)),
    )
    for text in ("[" + "1, " * 30_000 + "1]", '["' + 'a", "' * 900 + '"]', PROSE * 4_000, "x" * 3_000_000):
        answer = Answer("a/b", "b", text, reasoning="hm" * 1000, logprobs=logprobs)
        assert taken_ms(request, answer, 2) < HOSTILE_MS
        calls = tuple(ToolCall(str(n), "tool1", text[:50_000]) for n in range(200))
        assert taken_ms(request, replace(answer, tool_calls=calls), 2) < HOSTILE_MS
