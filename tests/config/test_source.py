"""YAML text into a tree: lines and columns, and whatever a hostile or broken file may hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example as given_example
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.config.loader import load_content
from turnout.config.problems import InvalidConfigurationError
from turnout.config.source import MAX_BYTES, parse, read_bytes, scalar

EXAMPLE = (Path(__file__).parents[2] / "config" / "hybrid.yaml").read_text(encoding="utf-8")
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)


def problems(content: bytes | str) -> list[tuple[int | None, str]]:
    with pytest.raises(InvalidConfigurationError) as caught:
        parse(content, "f.yaml")
    return [(problem.origin.line, problem.message) for problem in caught.value.problems]


def test_every_key_and_value_knows_its_line_and_column() -> None:
    tree = parse("routing:\n  rules:\n    - name: a\n      when: b\n", "f.yaml")
    when = tree.at(("routing", "rules", 0, "when"))
    assert when is not None and when.content == "b" and when.key is not None
    assert (when.origin.line, when.origin.column) == (4, 13)
    assert (when.key.line, when.key.column) == (4, 7)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("true", True),
        ("Yes", True),
        ("OFF", False),
        ("yEs", "yEs"),
        ("12", 12),
        ("-3", -3),
        ("64_000", 64_000),
        ("0x1f", 31),
        ("0o17", 15),
        ("010", "010"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        (".inf", float("inf")),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("1" * 5_000, "1" * 5_000),
    ],
)
def test_unquoted_texts_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


def test_quoted_texts_stay_texts_and_keys_are_always_text() -> None:
    assert parse("a: 'yes'\nb: \"1\"\non: 1\n3: x\n", "f.yaml").plain() == {"a": "yes", "b": "1", "on": 1, "3": "x"}


def test_an_alias_stands_for_its_anchor() -> None:
    assert parse("a: &x [1, 2]\nb: *x\n", "f.yaml").plain() == {"a": (1, 2), "b": (1, 2)}


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "---\n...\n", "\ufeff# byte order mark\n"])
def test_nothing_is_an_empty_configuration(text: str) -> None:
    assert parse(text.encode(), "f.yaml").plain() == {}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", 4, "a second time, first in line 3"),
        ("a: 1\nb: 2\na: 3\n", 3, "a second time, first in line 1"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("- a\n- b\n", 1, "a list at its top"),
        ("hello\n", 1, "only 'hello' at its top"),
        ("a:\n\tb: 1\n", 2, "tab"),
        ("a:\n  b: 1\n c: 2\n", 3, "indentation"),
        ("a:\n  b: 1\n    c: 2\n", 3, "indented too far"),
        ("a: [1, 2\nb: 3\n", 2, "not YAML"),
        ('a: 1\nb: "x\nc: 2\n', 3, "not closed, in what begins in line 2"),
        ("a: 1\nb: \x07\n", 2, "character that YAML does not allow"),
        ("a: 1\nb: !!python/object/apply:os.system ['true']\n", 2, "tags are not supported"),
        ("a: 1\nb: !!timestamp 2026-01-01\n", 2, "tags are not supported"),
        ("a: 1\n? [x]\n: 2\n", 2, "a key is a section or a list"),
        ("a: 1\n? *x\n: 2\n", 2, "nothing is named &x"),
        ("a: &x 1\n? *x\n: 2\n", 2, "an alias cannot be a key"),
        ("a: 1\nb: *nobody\n", 2, "nothing is named &nobody"),
        ("a: 1\nb: &x [*x]\n", 2, "would hold itself"),
        ("a: 1\n&x b: 2\n", 2, "a key has an anchor"),
        ("a: 1\nb: " + "[" * 200 + "]" * 200, 2, "nested deeper"),
        ("a: 1\nb: " + "{a: " * 200 + "}" * 200, 2, "nested deeper"),
        (BOMB, 5, "aliases counted as often as they are used"),
    ],
)
def test_what_is_not_one_plain_document_is_refused_at_its_line(text: str, line: int, words: str) -> None:
    ((where, message),) = problems(text)
    assert words in message
    assert where == line


def test_several_keys_that_stand_twice_are_all_told() -> None:
    assert [line for line, _ in problems("a: 1\na: 2\nb: 1\nb: 2\n")] == [2, 4]


def test_bytes_that_are_not_utf_8_are_told_with_their_line() -> None:
    assert problems(b"a: 1\nb: \xff\n") == [(2, "is not UTF-8 (byte 0xff); save the file with the encoding UTF-8")]
    assert problems("a: ü\n".encode("utf-16"))[0][0] == 1


def test_a_broken_line_that_holds_a_key_is_not_repeated() -> None:
    with pytest.raises(InvalidConfigurationError) as caught:
        parse('a:\n  api_key: "hunter2-hunter2\n', "f.yaml")
    assert "hunter2" not in str(caught.value)


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    huge = tmp_path / "huge.yaml"
    huge.write_bytes(b"#" * (MAX_BYTES + 1))
    for path, words in ((tmp_path / "none.yaml", "No such file"), (tmp_path, "directory"), (huge, "larger than")):
        with pytest.raises(InvalidConfigurationError, match=words):
            read_bytes(path)


def survives(content: bytes) -> None:
    """Either a configuration or problems at lines of the file; never anything else."""
    lines = max(1, len(content.decode("utf-8", "replace").splitlines()))
    try:
        load_content(content, "f.yaml", environment={})
    except InvalidConfigurationError as error:
        assert error.problems
        for problem in error.problems:
            assert str(problem)
            if problem.origin.where == "f.yaml":
                assert problem.origin.line is not None and 1 <= problem.origin.line <= lines, str(problem)


YAML_CHARACTERS = st.sampled_from(list("ab0:-[]{},&*!|>'\"%@`#?~ \n\t\r\\.\x85\u2028é\x00\ufeff"))


@settings(max_examples=300)
@given(st.text(YAML_CHARACTERS, max_size=60))
@given_example("a: |\n\t")
@given_example("%YAML 9.9\n---\na: 1")
@given_example("...\n...\n")
@given_example("<<: {a: 1}")
@given_example("routing: *")
def test_no_text_of_yaml_characters_breaks_the_reader(text: str) -> None:
    survives(text.encode())


@settings(max_examples=100)
@given(st.binary(max_size=80))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    survives(content)


KEYS = st.sampled_from(
    "hybrid providers routing rules name when then force prefer target lmStudio ollama models queue voices ensembles "
    "taskTypes condition priority profile performance privacy patterns exact enabled x".split()
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | KEYS
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


@settings(max_examples=300)
@given(st.dictionaries(KEYS, TREES, max_size=4))
def test_no_shape_of_known_keys_breaks_the_reader(data: dict[str, object]) -> None:
    import yaml

    survives(yaml.safe_dump(data, allow_unicode=True).encode("utf-8", "replace"))


@settings(max_examples=150)
@given(st.data())
def test_no_damage_to_the_example_breaks_the_reader(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(EXAMPLE)))
    length = data.draw(st.integers(0, 200))
    new = data.draw(st.text(YAML_CHARACTERS, max_size=6) | st.just(EXAMPLE[start : start + length] * 2))
    survives((EXAMPLE[:start] + new + EXAMPLE[start + length :]).encode())
