"""Whether code parses: by the language's own parser where that is safe and quick, else by its brackets.

Nothing is ever run. Python is read by the compiler's front end (parser and symbol tables), which is twice as fast as
`ast.parse` because no tree of Python objects is made; the rest of the limits keep any answer under a few milliseconds.
"""

from __future__ import annotations

import json
import re
import symtable
from collections.abc import Callable, Sequence
from typing import Any, Final

from turnout.execution.judging.brackets import balances, nests_deeply
from turnout.execution.judging.fences import Fence

MAX_PYTHON_CHARS: Final = 5_000
"""Of one answer. Of longer code the parser reads the lines up to the last margin before, and brackets tell of the rest."""

MAX_CHARS: Final[dict[str, int]] = {
    "json": 50_000,
    "yaml": 3_000,
    "yml": 3_000,
    "toml": 2_500,
    "xml": 20_000,
    "svg": 20_000,
}
"""Where it is not the limit of `brackets`. A millisecond each for usual code, 10 for the most hostile known."""

MAX_CODE_CHARS: Final = 48_000
MAX_SLOW_CHARS: Final = 5_000
"""Of all fences of an answer together; the second is for Python, YAML and TOML, whose parsers are slow."""

MAX_JSON_LINES: Final = 200
"""Values after one another in one fence of JSON."""

_SLOW: Final = frozenset(("python", "py", "python3", "yaml", "yml", "toml"))

MAX_NESTING: Final = 40
"""Brackets that open one after another in Python and YAML. People nest 6 deep; parsers can take quadratic time or worse."""

_ESCAPED: Final = re.compile(r"\\(?:N\{[^}\n]*\}|['\"\\]|(?=[^\n]))")
_OPEN_BRACKETS: Final = re.compile(rf"(?:[\[({{][^\[\](){{}}]{{0,400}}+){{{MAX_NESTING + 1}}}")
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if chr(byte) not in "()[]{}")
_ALIKE: Final = bytes.maketrans(b"[{", b"((")
_PARTIAL: Final = ("else", "elif", "except", "finally", "case ", ">>>", "...", "In [", "$ ", "%", "!", "?")
"""How a piece of Python begins that cannot stand alone: the rest of a block, a session, a command of a notebook."""

_BLANKS: Final = re.compile(r"\s*")
# Of a line that is to begin with something, the break before it is found several times as fast as its beginning.
_NOTEBOOK: Final = re.compile(r"\n(?:%%?|!|\?)[a-z]")
_STATEMENTS: Final = ("\ndef ", "\nclass ", "\nasync def ", "\n@", "\nimport ", "\nfrom ", "\nif ")
_CUT_SHORT: Final = re.compile(
    r"unterminated|was never closed|unexpected EOF|expected an indented block|invalid decimal"
)


def broken_share(fences: Sequence[Fence]) -> float | None:
    """Share of the fences that do not parse among those that can be checked; None where none can."""
    checked = broken = 0
    left, slow_left = MAX_CODE_CHARS, MAX_SLOW_CHARS
    for fence in fences:
        size = len(fence.code)
        slow = min(size, MAX_PYTHON_CHARS) if fence.label in _SLOW else 0
        if not fence.closed or size > left or slow > slow_left:
            continue
        left -= size
        slow_left -= slow
        fine = parses(fence.code, fence.label)
        checked += fine is not None
        broken += fine is False
    return broken / checked if checked else None


def parses(code: str, label: str) -> bool | None:
    """Whether code in the named language parses; None where that cannot be told. Never raises.

    Args:
        code: without its fence.
        label: the language in lower case, as fences name it.
    """
    if len(code) > MAX_CHARS.get(label, MAX_CODE_CHARS) or not code.strip():
        return None
    check = _CHECKS.get(label)
    if check is None:
        return balances(code, label)
    try:
        return check(code)
    except (RecursionError, MemoryError, OverflowError, UnicodeError):
        return None


def warm() -> None:
    """Load the parsers now, so that the first answer that needs one does not wait for it."""
    for label, text in (("yaml", "a: 1"), ("toml", "a = 1"), ("xml", "<a/>")):
        parses(text, label)


def _python(code: str) -> bool | None:
    whole, cut = code, len(code) > MAX_PYTHON_CHARS
    if cut:
        code = _up_to_margin(code)
    stripped = code.lstrip("\n")
    if stripped.lstrip().startswith(_PARTIAL) or _NOTEBOOK.search(f"\n{code}") or _opens_deeply(code):
        return None
    # Escapes are blanked: a wrong one is a warning, and to silence warnings is to change them for all threads.
    source = _ESCAPED.sub("_", code).rstrip()
    if source.endswith(":"):
        source += " ..."  # a signature without its body
    if stripped[:1] in (" ", "\t"):
        source = f"if 1:\n{source}"
    try:
        symtable.symtable(source, "<answer>", "exec")
    except SyntaxError as error:
        message = error.msg or ""
        # Where the code was cut, a decorator over several lines or a text with a margin may have lost its rest.
        lost = cut and ((error.lineno or 0) >= source.count("\n") or _CUT_SHORT.search(message))
        return None if lost or "nonlocal" in message or "invalid decimal" in message else False
    except UnicodeError:
        return None
    except ValueError:  # a null byte
        return False
    return balances(whole, "python") is not False if cut else True


def _opens_deeply(code: str) -> bool:
    """Whether more than `MAX_NESTING` brackets open after one another, each soon after the one before."""
    # The pattern reads on from every bracket, so the brackets alone are looked at first.
    brackets = code.encode("utf-8", "replace").translate(_ALIKE, _NO_BRACKETS)
    return b"(" * (MAX_NESTING + 1) in brackets and _OPEN_BRACKETS.search(code) is not None


def _up_to_margin(code: str) -> str:
    """As many lines as are read, up to the last one that begins a statement at the margin; a decorator begins it."""
    place = max(code.rfind(start, 0, MAX_PYTHON_CHARS) for start in _STATEMENTS)
    while place > 0 and code.startswith("\n@", before := code.rfind("\n", 0, place)) and before >= 0:
        place = before
    return code[: place if place > 0 else code.rfind("\n", 0, MAX_PYTHON_CHARS) + 1]


def _json(code: str) -> bool | None:
    if nests_deeply(code):
        return None
    decoder = json.JSONDecoder()
    text, place = code.strip(), 0
    try:
        for _ in range(MAX_JSON_LINES):
            _, place = decoder.raw_decode(text, place)
            place = _BLANKS.match(text, place).end()  # type: ignore[union-attr]
            if place == len(text):
                return True
    except json.JSONDecodeError:
        # Comments and dots for what is left out: an illustration, not a mistake.
        return balances(code, "json5") if "..." in code or "…" in code or "//" in code else False
    except ValueError:  # a number of more digits than Python reads
        pass
    return None


def _yaml(code: str) -> bool | None:
    if _opens_deeply(code) or "{{" in code or "{%" in code:  # templates are no YAML yet
        return None
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", None)
    if loader is None:
        return None
    try:
        for _ in yaml.parse(code, Loader=loader):  # events alone: no aliases are followed, no tags resolved
            pass
    except yaml.YAMLError:
        return False
    except ValueError:
        return None
    return True


def _toml(code: str) -> bool | None:
    import tomllib

    try:
        tomllib.loads(code)
    except tomllib.TOMLDecodeError:
        return False
    except ValueError:
        return None
    return True


def _xml(code: str) -> bool | None:
    """Whether markup is well formed; a piece without one root counts. No entities: nothing is expanded or fetched."""
    if "<!" in code.replace("<!--", "").replace("<![CDATA[", ""):
        return None
    from xml.parsers import expat

    text = code.strip()
    if not text.startswith("<?xml"):
        text = f"<r>{text}</r>"
    try:
        expat.ParserCreate().Parse(text.encode("utf-8"), True)
    except expat.ExpatError:
        return balances(code, "") if "..." in code else False
    return True


_CHECKS: Final[dict[str, Callable[[str], bool | None]]] = {
    **dict.fromkeys(("python", "py", "python3"), _python),
    "json": _json,
    **dict.fromkeys(("yaml", "yml"), _yaml),
    "toml": _toml,
    **dict.fromkeys(("xml", "svg"), _xml),
}
