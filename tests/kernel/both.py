"""The same call twice, compiled and in the Python code that defines it; and texts that may tell them apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import strategies as st

from turnout import kernel

compiled_only = pytest.mark.skipif(not kernel.COMPILED, reason="the extension is not built here, or not in use")


@contextmanager
def python_code() -> Iterator[None]:
    """Inside, the Python code runs."""
    kernel.COMPILED = False
    try:
        yield
    finally:
        kernel.COMPILED = True


def both(function: Callable[..., Any], *arguments: Any) -> tuple[Any, Any]:
    """What a function returns compiled, and what it should."""
    compiled = function(*arguments)
    with python_code():
        return compiled, function(*arguments)


WORDS = """import from using return SELECT FROM GROUP ORDER ERROR INFO Traceback Tracebacks File goroutine thread at Caused E W
panic const let val final def class func public int if for else with do async x foo Answer a.b Error ValueError Exception
MyException2 e\u0301 é İ ẞ ß naïve für 漢字 かな 한국어 Привет שלום नमस्ते don't trade-off c++ snake_case x1 3 12 3.14 1,000 1.2.3.4
2024-01-01 10:00:00 9999999999999999999 A B J K Z ５ ٣ p99 k8s __init__ aujourd’hui -- $ •""".split()
SIGNS = [
    *" " * 12, *"\t:=()[]{}<>,;|/#'\"-+*.!?$@`~\\_&%^\r\x00\x0b\x1c\x7f", *["\n"] * 5, *["```", "~~~", "://", ":=", "+=", "//"],
    *["\u00a0", "\u3000", "\x85", "\u2028", "\u1680", "\u2003", "\u202f", "\u205f", "\u200b", "\ufeff", "\ud800"],
    *"’“—…。！？：，）",
]  # fmt: skip

# Pieces of code, logs, tables and prose in any order: nearly every line is nearly something.
FRAGMENTS = st.lists(st.sampled_from(WORDS) | st.sampled_from(SIGNS), max_size=60).map("".join)
LINES = st.lists(
    st.lists(st.sampled_from(WORDS) | st.sampled_from(SIGNS), max_size=6).map("".join), min_size=2, max_size=12
).map("\n".join)
ANY_TEXT = st.text(st.characters())
REPEATED = st.builds(lambda part, times: part * times, FRAGMENTS, st.integers(1, 200))
TEXTS = FRAGMENTS | LINES | ANY_TEXT | REPEATED
