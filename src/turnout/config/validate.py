"""A tree into a configuration, or into every problem it has, each at the line that holds it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Final

from turnout.config.problems import InvalidConfigurationError, Problem, nearest, redacted, shown
from turnout.config.schema import Configuration
from turnout.config.shape import known_names
from turnout.config.tree import Node, Path, written
from turnout.config.values import SettingError

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic_core import ErrorDetails

_EXPECTED: Final = {
    "bool_type": "expected true or false",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "string_type": "expected text; put it in quotes if it looks like something else",
    "tuple_type": "expected a list",
    "mapping_type": "expected a section with keys",
    "dict_type": "expected a section with keys",
    "dataclass_type": "expected a section with keys",
    "finite_number": "expected a finite number",
}
_RANGES: Final = {
    "greater_than": ("gt", "must be above"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than_equal": ("le", "must be at most"),
}


@cache
def adapter() -> TypeAdapter[Configuration]:
    """The reader of plain data; made once, because that takes a tenth of a second."""
    from pydantic import TypeAdapter

    return TypeAdapter(Configuration)


def validated(tree: Node, known: Iterable[Problem] = ()) -> Configuration:
    """The configuration that a tree holds.

    Raises:
        InvalidConfigurationError: what is wrong, in the order of the file, together with the problems known before.
    """
    from pydantic import ValidationError

    problems = list(known)
    try:
        configuration = adapter().validate_python(tree.plain())
    except ValidationError as error:
        problems += [_problem(tree, entry) for entry in error.errors(include_url=False)]
    if problems:
        raise InvalidConfigurationError(in_order(problems))
    return configuration


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Problems by line, each told once: what providers take from a shared section is wrong there, not in each."""
    once: dict[tuple[object, ...], Problem] = {}
    for problem in sorted(problems, key=lambda entry: entry.path.startswith("providers")):
        once.setdefault((problem.origin, problem.message, problem.text), problem)
    return sorted(once.values(), key=lambda entry: (entry.origin.line or 0, entry.origin.column or 0))


def _problem(tree: Node, error: ErrorDetails) -> Problem:
    path, kind, context = tuple(error["loc"]), error["type"], error.get("ctx", {})
    if kind == "unexpected_keyword_argument":
        return _unknown(tree, path)
    if kind == "missing":
        owner, _ = tree.nearest(path[:-1])
        return Problem(owner.key or owner.origin, written(path[:-1]), f"needs the key {path[-1]}")
    if kind == "value_error":
        return _refused(tree, path, context["error"])
    node, depth = tree.nearest(path)
    value, text = error["input"], shown(error["input"], path[-1] if path else "")
    if kind in _RANGES:
        bound, words = _RANGES[kind]
        return Problem(node.origin, written(path), f"{words} {context[bound]:g}", text)
    if kind == "literal_error":
        told = f"expected {context['expected'].replace(chr(39), '')}"
        choices = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return Problem(
            node.origin, written(path), told, text, nearest(value, choices) if isinstance(value, str) else ""
        )
    told = _EXPECTED.get(kind, error["msg"])
    near = nearest(value, ("fast", "balanced", "quality")) if kind == "one_of" and isinstance(value, str) else ""
    return Problem(node.origin, written(path[:depth] or path), told, text, near)


def _unknown(tree: Node, path: Path) -> Problem:
    node, _ = tree.nearest(path)
    name, known = str(path[-1]), known_names(path[:-1])
    near = nearest(name, known)
    told = f"unknown key {name}"
    if "key_variable" in known and redacted("x", name) != "x":
        told, near = (
            f"{told}; a key never stands in a file, name the environment variable that holds it",
            "key_variable",
        )
    elif not near:
        told += f"; known here: {', '.join(known)}"
    return Problem(node.key or node.origin, written(path), told, "", near)


def _refused(tree: Node, path: Path, error: Exception) -> Problem:
    """A check between fields failed; the field it names is where to look, else its section."""
    field = error.field if isinstance(error, SettingError) else ""
    whole = (*path, *_steps(tree, path, field))
    node, depth = tree.nearest(whole)
    origin = node.origin if depth == len(whole) and node.key is None else node.key or node.origin
    if depth == len(whole) and field:
        origin = node.origin
    return Problem(origin, written(whole), str(error))


def _steps(tree: Node, path: Path, field: str) -> Path:
    if not field:
        return ()
    head, _, rest = field.partition(".")
    node = tree.at((*path, head))
    if not rest or node is None:
        return (head,)
    if isinstance(node.content, list):
        index, _, last = rest.partition(".")
        return (head, int(index), last)
    return (head, rest)
