"""Reading a prompt once: bounded, split into instruction and pasted material, cut into words.

Everything after this module works on a `PromptText`, so no feature ever reads more than `MAX_CHARS` characters.
"""

from __future__ import annotations

import re
from itertools import compress
from typing import Final, NamedTuple

from turnout import kernel
from turnout.features.words import Words, read_words

HEAD_CHARS: Final = 5000
TAIL_CHARS: Final = 1500
MAX_CHARS: Final = HEAD_CHARS + TAIL_CHARS
"""What is asked stands at the head or at the tail; the time for all of a long prompt would be spent for nothing."""

INSTRUCTION_CHARS: Final = 1200
"""The instruction keeps at most this much, two thirds from its head: long prose is material, too."""

LINE_CHARS: Final = 400
"""Of a longer line, this much tells what it is."""

_PLAIN: Final = bytes(
    byte for byte in range(256) if byte >= 128 or chr(byte).isalnum() or chr(byte) in "\0\r .,'\"!?%&^\\_*+-$"
)
"""Bytes that say little of code, logs and tables. A line of no others is prose, whatever the patterns below would say,
unless its first word is among `_OPENERS` or holds a comma."""

_OPENERS: Final = frozenset(
    (
        "import", "from", "using", "package", "use", "require", "include", "return", "raise", "throw", "yield", "await",
        "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "FROM", "WHERE", "JOIN", "LEFT", "INNER", "GROUP",
        "ORDER", "VALUES", "ERROR", "WARN", "INFO", "DEBUG", "FATAL", "Traceback", "File", "goroutine", "thread",
        "--", "$",
    )
)  # fmt: skip
# All patterns below match a line without the blanks around it, so that an alternative fails at its first character.
_CODE_LINE: Final = re.compile(
    r"""
      [}\])]+,?$ | [\[(]$                                               # lone brackets
    | // | /\* | \*/ | \#include | \#define | --\s | <!-- | @\w | \$\s | >>>\s | \#!/  # comments, decorators, prompts
    | (?:import|from|using|package|use|require|include)\s+[\w.:*/"'@<>{}]+(?:\s+(?:import|as|from)\b.*)?$
    | (?:const|let|var|val|auto|final)\s+\w+[^=]*=
    | (?:return|raise|throw|yield|await)\s+\S+$
    | (?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|FROM|WHERE|JOIN|LEFT|INNER|GROUP\ BY|ORDER\ BY|VALUES)\b
    | </?[a-zA-Z][^>]*>                                                 # markup
    | [\w.\[\]"']++\s*+(?:=|:=|\+=)\s*\S                                # assignments
    | "?[\w.$-]++"?\s*+:\s*+(?:\S{1,40}|"[^"]*"|[\[{].*),?$             # keys and values
    | [a-z_"][\w.$"-]*+:$                                               # keys of a block, but no "Answer:"
    | -\s+[\w.-]++:\s*+\S*$                                             # YAML lists
    | \w++(?:\.\w++)*+\([^)]*\),?$                                      # bare calls
    | [+-]\s*+[^\s()=]*[()=]                                            # diff lines
    """,
    re.VERBOSE,
)
_BLOCK_OPENERS: Final = (
    "def", "class", "func", "fn", "function", "namespace", "public", "private", "protected", "static", "void", "int",
    "if", "for", "while", "else", "elif", "try", "catch", "except", "struct", "enum", "impl", "pub", "switch", "case",
    "do", "with", "async", "export",
)  # fmt: skip
_BLOCK_START: Final = re.compile(rf"(?:{'|'.join(_BLOCK_OPENERS)})\b")
_LOG_LINE: Final = re.compile(
    r"\[?\d{4}-\d\d-\d\d[T ]|\[?\d\d:\d\d:\d\d|\d+\.\d+\.\d+\.\d+\s|at \w[\w.$<>]*\(|File \"|Traceback|Caused by:"
    r"|(?:ERROR|WARN|INFO|DEBUG|FATAL|E/|W/)\b|#\d+\s+0x|goroutine \d|thread '|panic:|[\w.]*(?:Error|Exception)\b"
)
_TABLE_LINE: Final = re.compile(r"[^\s,;|\t]*(?:[,;\t][^,;\t]{0,40}){2,}$")
_INDENTED_CODE: Final = re.compile(r"(?:return|raise|throw|yield|await)\b|[^()=\[\]{}<>;]*+[()=\[\]{}<>;]")


# A literal line feed is found at the speed of memchr, '^' in multi-line mode is not.
_OPTION: Final = re.compile(r"\n\(?[A-J][.)] ")
_BULLET: Final = re.compile(r"\n[ \t]*(?:[-*•]|\d+[.)]) ")

_BLANK, _PROSE, _FENCE, _CODE, _LOG, _TABLE, _UNCLEAR = b" p`clt?"
"""What `kernel.native` calls a line; what the patterns above could match is unclear to it, and then they decide."""

_IS_PROSE: Final = bytes(byte == _PROSE for byte in range(256))
_LEXICON: Final = (
    kernel.native.make_lexicon(
        dict.fromkeys(_BLOCK_OPENERS, 3)
        | dict.fromkeys(("at", "Caused", "E", "W", "panic", "const", "let", "var", "val", "auto", "final"), 2)
        | dict.fromkeys(_OPENERS, 1),
        LINE_CHARS,
    )
    if kernel.COMPILED
    else b""
)
"""Words at the beginning of lines that are unclear: 1 always, 2 beside other bytes than `_PLAIN`, 3 if the line ends as
the head of a block does."""


class PromptText(NamedTuple):
    """One prompt as features see it.

    `text` is the bounded prompt and `raw` its UTF-8; `instruction` is the UTF-8 of its prose without pasted code, logs
    and tables (the whole text where nothing else is left); `words` and `instruction_words` are the words of each, the
    same object where the instruction is the whole text. `lines` counts those that are not blank; options and bullets
    are lines that begin as such.
    """

    text: str
    raw: bytes
    length: int
    instruction: bytes
    words: Words
    instruction_words: Words
    lines: int
    code_lines: int
    log_lines: int
    table_lines: int
    fences: int
    options: int
    bullets: int


def read_prompt(prompt: str) -> PromptText:
    """Bound, split and tokenise one prompt. Never fails on any string; lone surrogates count as question marks."""
    length = len(prompt)
    text = prompt if length <= MAX_CHARS else f"{prompt[:HEAD_CHARS]}\n{prompt[-TAIL_CHARS:]}"
    raw = text.encode("utf-8", "replace")
    words = read_words(raw)
    if "\n" in text:
        prose, lines = (_read_lines if kernel.COMPILED else _split_lines)(text, raw)
        instruction = text if prose is None else prose
    else:
        instruction, lines = text, (1, 0, 0, 0, text.count("```"), 0, 0)
    if len(instruction) > INSTRUCTION_CHARS:
        tail = INSTRUCTION_CHARS // 3
        instruction = f"{instruction[: INSTRUCTION_CHARS - tail]}\n{instruction[-tail:]}"
    if instruction is text:
        return PromptText(text, raw, length, raw, words, words, *lines)
    asked = instruction.encode("utf-8", "replace")
    return PromptText(text, raw, length, asked, words, read_words(asked), *lines)


_Lines = tuple[int, int, int, int, int, int, int]
"""The counts of lines, in the order of `PromptText`: all that are not blank, code, log, table, fences, options, bullets."""


def _split_lines(text: str, raw: bytes) -> tuple[str | None, _Lines]:
    """The lines of prose, None where there are no others or no such lines, and the counts."""
    prose: list[str] = []
    code = logs = tables = fences = count = 0
    inside = False
    # One pass over the bytes tells which lines hold nothing but plain characters: most lines of most prompts.
    for line, marks in zip(text.split("\n"), raw.translate(None, _PLAIN).split(b"\n"), strict=True):
        stripped = line[:LINE_CHARS].strip()
        if not stripped:
            continue
        count += 1
        if marks and stripped.startswith(("```", "~~~")):
            fences += 1
            inside = not inside
        elif inside:
            code += 1
        elif not marks and (first := stripped.partition(" ")[0]) not in _OPENERS and "," not in first:
            prose.append(line)
        else:
            kind = _kind(line)
            code += kind == _CODE
            logs += kind == _LOG
            tables += kind == _TABLE
            if kind == _PROSE:
                prose.append(line)
    asked = "\n".join(prose) if prose and len(prose) < count else None
    options, bullets = len(_OPTION.findall(text)), len(_BULLET.findall(f"\n{text}"))
    return asked, (count, code, logs, tables, fences, options, bullets)


def _read_lines(text: str, raw: bytes) -> tuple[str | None, _Lines]:
    """The same as `_split_lines`, mostly compiled."""
    kinds, options, bullets = kernel.native.sort_lines(raw, _LEXICON)
    if bullets < 0:
        bullets = len(_BULLET.findall(f"\n{text}"))
    count, prose = len(kinds) - kinds.count(_BLANK), kinds.count(_PROSE)
    if prose == count:
        return None, (count, 0, 0, 0, 0, options, bullets)
    lines = text.split("\n")
    at = kinds.find(_UNCLEAR)
    while at >= 0:
        kinds[at] = _kind(lines[at])
        at = kinds.find(_UNCLEAR, at)
    prose = kinds.count(_PROSE)
    asked = "\n".join(compress(lines, kinds.translate(_IS_PROSE))) if 0 < prose < count else None
    code, logs, tables, fences = map(kinds.count, (_CODE, _LOG, _TABLE, _FENCE))
    return asked, (count, code, logs, tables, fences, options, bullets)


def _kind(line: str) -> int:
    """What a line is by the patterns above, outside of fences."""
    stripped = line[:LINE_CHARS].strip()
    if _LOG_LINE.match(stripped):
        return _LOG
    if _is_code(line, stripped):
        return _CODE
    return _TABLE if _is_table(stripped) else _PROSE


def _is_code(line: str, stripped: str) -> bool:
    last = stripped[-1]
    return (
        last in ";{}"
        or _CODE_LINE.match(stripped) is not None
        or (last in ":()=," and _BLOCK_START.match(stripped) is not None)
        or (line[:2].isspace() and _INDENTED_CODE.match(stripped) is not None)
    )


def _is_table(stripped: str) -> bool:
    return stripped.count("|") > 1 or _TABLE_LINE.match(stripped) is not None
