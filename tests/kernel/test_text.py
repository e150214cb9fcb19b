"""Words and lines: compiled, every record and every line is what the patterns say."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.kernel.both import ANY_TEXT, FRAGMENTS, LINES, TEXTS, both, compiled_only

from turnout.features import text, words
from turnout.features.text import LINE_CHARS, PromptText, read_prompt
from turnout.features.words import read_words

pytestmark = compiled_only

NUMBERS = st.text("0123456789.,", max_size=30)
PIECES = st.text("abzAZ_019.,'+-é漢 ", max_size=40)


def same_words(given_text: str) -> None:
    raw = given_text.encode("utf-8", "replace")
    compiled, defined = both(read_words, raw)
    assert compiled.tobytes() == defined.tobytes()


@given(TEXTS | NUMBERS | PIECES)
@example("c++ c+ c+- don't don' 'tis trade-off- a-b-c 3d 1a 1,2,3 1,a 1.5.2 1. .5 _ __ _1 9" * 3)
@example("x" * 100 + " " + "9" * 40)
@example("don’t state-of-the-art’s a’b-c, 3.5’x")
@settings(max_examples=120)
def test_every_word_has_the_same_record(text: str) -> None:
    same_words(text)


def test_every_listed_word_has_the_same_record() -> None:
    same_words(" ".join(words._KIND_OF))
    same_words(" ".join(word.upper() for word in words._KIND_OF))


def test_every_byte_between_words_has_the_same_effect() -> None:
    for byte in range(256):
        raw = b"Ab" + bytes([byte]) + b"Cd2" + bytes([byte, byte]) + b"3"
        if byte < 128:
            compiled, defined = both(read_words, raw)
            assert compiled.tobytes() == defined.tobytes(), byte


def test_a_number_of_any_length_is_worth_the_same() -> None:
    for length in range(1, 25):
        digits = "1234567890123456789012345"[:length]
        for point in range(length):
            same_words(f"{digits[:point]}.{digits[point:]} {digits[:point]},{digits[point:]}")


def same_reading(given_text: str) -> None:
    compiled, defined = both(read_prompt, given_text)
    for field in PromptText._fields:
        one, other = getattr(compiled, field), getattr(defined, field)
        assert one.tobytes() == other.tobytes() if field.endswith("words") else one == other, field
    assert (compiled.instruction_words is compiled.words) == (defined.instruction_words is defined.words)


@given(LINES | FRAGMENTS | ANY_TEXT)
@example("a\n" + "x = 1".rjust(LINE_CHARS + 3))
@example("é" * (LINE_CHARS - 1) + " {\nb")
@example("x (y)" + "é" * LINE_CHARS + ";\nb")
@example("\u3000```\ncode\n\x85~~~ \nprose")
@example("１. item\n٣) item\n• item\n 2. item\n- item\n(A) one\nB. two")
@settings(max_examples=300)
def test_every_line_is_taken_for_the_same(text: str) -> None:
    same_reading(text)


# One for each alternative of the patterns, and for what nearly is one.
_NEARLY = """\
}],§(§[§// x§/* x§#include <a>§#define A§-- x§<!-- x§@x§$ ls§>>> 1§#!/bin/sh§import os.path§from a.b import c§using x;
use a::b§import it, please (now)§require "x"§const x = 1§let it (be)§let a b = 1§final int = 3§return x§return to (me) now
await f()§SELECT* FROM x§FROM(x)§SELECTION: a b§GROUP BY x: y§GROUP (a)§ORDER BY: a b c§<div>§</p> a§a < b > c§x = 1
x.y[0] += 2§x := 3 (a)§x + = 3§a-b = (c)§x (a) = 3§"a" = 3: b§x: 1§x : "a b"§x: "a b§x: [a b§x: {a b§x: a b§Key: 1,§Key:
key:§_k:§k-e.y:§k e:§- a: 1§- a b: 1§f(x)§f.g(x, y),§f (x)§f(x) y§f(x)(y)§+ a(b)§- a=b§def f(x):§class A(B):§if x:§if (x) y
if x, (y),§for x in (y)§do (it)§do it: (now)§int x(§define: (x),§a ; b (c);§a (b) {§a (b) }§[2024-01-01 x: y§2024-01-01T: y
20２4-01-01 (x)§2024-01-0 (x)§10:20:30 (x)§1٠:20:30 (x)§1.2.3.4 (x)§1.2.3. (x)§12.5 (x) y§3 (x) y§at a.b(c)§at (x) y
File "a" (x)§File a (x)§Traceback (x)§Tracebacks: a b§Caused by: a b§Caused (x)§ERROR (x)§ERRORS (x)§E/a b§W/a b§W (x)
#1 0x0§goroutine 1 [x]§goroutine (x)§thread 'a' b§thread (x)§panic: a b§panic (x)§a.ValueError: b c§ValueErrors (x)
x.Exception (y) z§Exceptions: a b§a,b,c (d)§a;b;c: d§a, b (c)§a (b), c, d§a\tb\tc§a b\tc\td§a|b|c§|a (b)|§ a, (b)
  x: y z§\u00a0f(x)
x\u00a0= 3§x\u00a0\u2003: "a b"§x: \u3000{a b§a\u00a0,b,c(§é(x)§é = 1§(é) b§x = é;§f(é)§def é(x):§é: 1§naïve: "a b"
A. one§(B) two§C) three§K. no§A.no§(A one§- a§* a§• a§1. a§2) a§12 a§-a§５. a§٣) a§\t- a§   10. a§1a. b§１a"""
NEARLY = _NEARLY.replace("\n", "§").split("§")


@pytest.mark.parametrize("line", NEARLY)
def test_each_pattern_takes_the_lines_it_should(line: str) -> None:
    for around in ("{}", "{} ", "{}\r", "{},", "{}:", "{} (so)", "{} | |", "X {}"):
        whole = around.format(line)
        same_reading(f"What is this?\n{whole}\nA. that (or so)\n{whole * 90}")


def test_real_and_hostile_prompts_are_read_the_same(prompts: tuple[str, ...], hostile_prompts: dict[str, str]) -> None:
    for prompt in (*prompts, *hostile_prompts.values()):
        same_reading(prompt)


@pytest.mark.parametrize("folder", ["src/turnout", "docs", "tests/features"])
def test_sources_and_documents_are_read_the_same(folder: str) -> None:
    root = Path(__file__).parents[2] / folder
    for path in sorted([*root.rglob("*.py"), *root.rglob("*.md"), *root.rglob("*.c")])[:60]:
        content = path.read_text(encoding="utf-8")
        for start in range(0, min(len(content), 20_000), 3000):
            same_reading(content[start : start + 3000])


def test_most_lines_need_no_pattern() -> None:
    prose = "We have (so far) two services; they share a queue.\nWho owns retries: the sender, or its queue?\n" * 5
    kinds, _, _ = text.kernel.native.sort_lines(prose.encode(), text._LEXICON)
    assert set(kinds) <= set(b"p ")
