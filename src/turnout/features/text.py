"""Reading a prompt once: bounded, split into instruction and pasted material, cut into words.

Everything after this module works on a `PromptText`, so no feature ever reads more than `MAX_CHARS` characters.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

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
_BLOCK_START: Final = re.compile(
    r"(?:def|class|func|fn|function|namespace|public|private|protected|static|void|int|if|for|while|else|elif|try"
    r"|catch|except|struct|enum|impl|pub|switch|case|do|with|async|export)\b"
)
_LOG_LINE: Final = re.compile(
    r"\[?\d{4}-\d\d-\d\d[T ]|\[?\d\d:\d\d:\d\d|\d+\.\d+\.\d+\.\d+\s|at \w[\w.$<>]*\(|File \"|Traceback|Caused by:"
    r"|(?:ERROR|WARN|INFO|DEBUG|FATAL|E/|W/)\b|#\d+\s+0x|goroutine \d|thread '|panic:|[\w.]*(?:Error|Exception)\b"
)
_TABLE_LINE: Final = re.compile(r"[^\s,;|\t]*(?:[,;\t][^,;\t]{0,40}){2,}$")
_INDENTED_CODE: Final = re.compile(r"(?:return|raise|throw|yield|await)\b|[^()=\[\]{}<>;]*+[()=\[\]{}<>;]")


class PromptText(NamedTuple):
    """One prompt as features see it.

    `text` is the bounded prompt and `raw` its UTF-8; `instruction` is the UTF-8 of its prose without pasted code, logs
    and tables (the whole text where nothing else is left); `words` and `instruction_words` are the words of each, the
    same object where the instruction is the whole text.
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


def read_prompt(prompt: str) -> PromptText:
    """Bound, split and tokenise one prompt. Never fails on any string; lone surrogates count as question marks."""
    length = len(prompt)
    text = prompt if length <= MAX_CHARS else f"{prompt[:HEAD_CHARS]}\n{prompt[-TAIL_CHARS:]}"
    raw = text.encode("utf-8", "replace")
    words = read_words(raw)
    instruction = text
    if "\n" in text:
        prose, code, logs, tables, fences, lines = _split_lines(text, raw)
        if prose and len(prose) < lines:
            instruction = "\n".join(prose)
    else:
        code, logs, tables, fences, lines = 0, 0, 0, text.count("```"), 1
    if len(instruction) > INSTRUCTION_CHARS:
        tail = INSTRUCTION_CHARS // 3
        instruction = f"{instruction[: INSTRUCTION_CHARS - tail]}\n{instruction[-tail:]}"
    if instruction is text:
        return PromptText(text, raw, length, raw, words, words, lines, code, logs, tables, fences)
    asked = instruction.encode("utf-8", "replace")
    return PromptText(text, raw, length, asked, words, read_words(asked), lines, code, logs, tables, fences)


def _split_lines(text: str, raw: bytes) -> tuple[list[str], int, int, int, int, int]:
    """Prose lines, then the counts of code, log and table lines, of fences and of all lines that are not blank."""
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
        elif _LOG_LINE.match(stripped):
            logs += 1
        elif _is_code(line, stripped):
            code += 1
        elif _is_table(stripped):
            tables += 1
        else:
            prose.append(line)
    return prose, code, logs, tables, fences, count


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
