"""Code that parses is told from code that does not; what cannot be told stays unknown, and nothing is ever run."""

from __future__ import annotations

import json
import random
import re
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.execution.judging import code
from turnout.execution.judging.brackets import FAMILIES, MAX_CHARS, balances
from turnout.execution.judging.code import MAX_NESTING, MAX_PYTHON_CHARS, broken_share, parses
from turnout.execution.judging.fences import find_fences

ROOT = Path(__file__).parents[3]
LABELS = sorted({*FAMILIES, "python", "json", "yaml", "toml", "xml", "text", ""})

GOOD = [
    ("python", "def f(x: int) -> int:\n    return x + 1\n"),
    ("python", "    return x\n"),
    ("python", "def f(self, x):"),
    ("python", "await f()\nreturn 1"),
    ("python", 'print(f"{a!r:>{width}}", r"\\d", "\\d")'),
    ("python", "import os; os._exit(1)"),
    ("python", 'a = rf"\\{name}", f"\\N{EM DASH}{x}", "a\\"b", r"\\d"'),
    ("python", "x = 1 + \\\n    2"),
    ("json", '{"a": [1, 2, {"b": null}]}'),
    ("json", '{"a": 1}\n{"a": 2}\n'),
    ("json", '{\n  "a": 1,\n  ...\n}'),
    ("yaml", "a:\n  - b: 1\n    c: !Ref x\n"),
    ("toml", '[a]\nb = "c"\n'),
    ("xml", "<a><b c='1'/></a>"),
    ("xml", "<a/><b/>"),
    ("js", "f(`a ${b('x')}`, '(');"),
    ("js", "// it's (fine\nf({a: [1]});"),
    ("tsx", "return <p>don't {name}</p>;"),
    ("rust", "fn f<'a>(x: &'a str) -> char { '{' }"),
    ("go", 'func f() string { return `{"a": "` + "}" }'),
    ("c", "char c = '\\''; if (c) { /* ( */ }"),
    ("sql", "SELECT 'it''s (' FROM t -- (\nWHERE a IN (1, 2);"),
    ("ruby", '# it\'s (\nputs "#{a[1]}"'),
    ("lua", "-- (\nlocal t = {1, 2}"),
    ("clojure", '(defn f [x] "(" x) ; ('),
]
BROKEN = [
    ("python", "def f(x:\n    return x"),
    ("python", "print 'hello'"),
    ("python", "x = 'abc"),
    ("python", "if x:\nreturn 1"),
    ("python", "a\x00b"),
    ("json", '{"a": 1,}'),
    ("json", "{'a': 1}"),
    ("yaml", "a: [1, 2"),
    ("yaml", "a: b: c"),
    ("toml", "a = "),
    ("xml", "<a><b></a>"),
    ("js", "function f( { return 1; }"),
    ("java", 'String s = "abc;\nint x = f(1);'),
    ("go", "func f() { if x { return }"),
    ("sql", "SELECT (a FROM t;"),
]
UNKNOWN = [
    ("python", "elif x:\n    pass"),
    ("python", ">>> 1 + 1\n2"),
    ("python", "%timeit f(x)\n"),
    ("python", "!pip install x\nimport x"),
    ("python", "("),
    ("python", "(" * 60 + ")" * 60),
    ("yaml", "a: {{ .Values.a }}"),
    ("js", "const re = /[(]/;"),
    ("xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"),
    ("bash", "case $x in a) echo ;; esac"),
    ("html", "<p>a<br>b</p>"),
    ("text", "( ["),
    ("", "( ["),
    ("python", "  \n"),
    ("json", "1" * 5000),
]


@pytest.mark.parametrize(("label", "text"), GOOD)
def test_good_code_parses(label: str, text: str) -> None:
    assert parses(text, label) is True


@pytest.mark.parametrize(("label", "text"), BROKEN)
def test_broken_code_does_not(label: str, text: str) -> None:
    assert parses(text, label) is False


@pytest.mark.parametrize(("label", "text"), [entry for entry in UNKNOWN if entry != ("python", "(")])
def test_what_cannot_be_told_is_unknown(label: str, text: str) -> None:
    assert parses(text, label) is None


def test_every_file_of_this_package_parses() -> None:
    for path in sorted((ROOT / "src").rglob("*.py"))[::3]:
        assert parses(path.read_text("utf-8"), "python") is not False, path


def test_most_damaged_python_is_found() -> None:
    chance, found, count = random.Random(5), 0, 0
    for path in sorted((ROOT / "src" / "turnout" / "policy").glob("*.py")):
        whole = path.read_text("utf-8")[:MAX_PYTHON_CHARS]
        for place in chance.sample([m.start() for m in re.finditer(r"[()\[\]{}\"]|:\n|def ", whole)], 4):
            found += parses(whole[:place] + whole[place + 1 :], "python") is False
            count += 1
    assert count > 60 and found / count > 0.85


def test_a_long_file_is_read_up_to_a_margin_and_its_brackets_to_the_end() -> None:
    function = "@decorator(\n    1,\n)\ndef f(x):\n    return [x, (1)]\n\n\n"
    long = function * (2 * MAX_PYTHON_CHARS // len(function))
    assert parses(long, "python") is True
    assert parses(long + "g(1\n", "python") is False
    assert parses("def f(:\n" + long, "python") is False
    assert parses(f'"""\n{"text at the margin " * 500}\n"""\n', "python") in (True, None)


def test_warnings_of_judged_code_are_nobodys() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parses(r"re.compile('\d'); x = 1if y else 2", "python") is not False


def test_deep_nesting_is_left_alone() -> None:
    assert parses("x = " + "[" * (MAX_NESTING + 1) + "]" * (MAX_NESTING + 1), "python") is None
    assert parses("x = " + "[" * 20 + "]" * 20, "python") is True
    assert parses("[" * 2000, "yaml") is None


def test_aliases_are_not_followed() -> None:
    lines = ["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 40))]
    assert parses("\n".join(lines), "yaml") is True


def test_the_share_counts_what_could_be_checked() -> None:
    def share(text: str) -> float | None:
        return broken_share(find_fences(text))

    good, bad, unknown = "```json\n{}\n```\n", "```json\n{\n```\n", "```text\n{\n```\n"
    assert share(good + unknown) == 0.0 and share(good + bad) == 0.5 and share(bad) == 1.0
    assert share(unknown) is None and share("```json\n{") is None and share("") is None


def test_only_so_much_code_of_an_answer_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(code, "parses", lambda text, label: seen.append(len(text)) or True)
    broken_share(find_fences("```python\n" + "x = 1\n" * 500 + "```\n" + "```python\n" + "y = 1\n" * 500 + "```\n"))
    assert seen == [3000]


def test_brackets_are_judged_outside_strings_and_comments() -> None:
    assert balances('a("(")', "js") is True and balances("a(')')", "js") is True
    assert balances("a(1", "js") is False and balances("a)", "java") is False and balances("([)]", "java") is False
    assert balances("f(", "no such language") is None and balances("(" * (MAX_CHARS + 1), "js") is None
    assert balances("f() /* (", "js") is False and balances("const a = `x ${b(", "js") is False


@given(st.sampled_from(LABELS), st.text(max_size=300))
def test_any_text_in_any_language_is_judged(label: str, text: str) -> None:
    assert parses(text, label) in (True, False, None)


@given(
    st.sampled_from(LABELS),
    st.lists(st.sampled_from([*"()[]{}\"'`\\/*-#;\n <>&:,=ab0", '"""', "/*", "<!"])).map("".join),
)
def test_any_heap_of_signs_is_judged(label: str, text: str) -> None:
    assert parses(text, label) in (True, False, None)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=10,
    )
)
def test_all_json_parses(value: object) -> None:
    assert parses(json.dumps(value, indent=1), "json") is True
