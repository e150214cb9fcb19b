"""Reading a prompt once: bounded, split into instruction and pasted material, cut into words.

Everything after this module works on a `PromptText`, so no feature ever reads more than `MAX_CHARS` characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

HEAD_CHARS = 5000
TAIL_CHARS = 1500
MAX_CHARS = HEAD_CHARS + TAIL_CHARS
"""A 200,000-character prompt costs 60 to 120 ms unbounded; what is asked stands at the head or at the tail."""

INSTRUCTION_CHARS = 1200
"""The instruction keeps at most this much, two thirds from its head: long prose is material, too."""

WORD = re.compile(
    r"[a-z_][a-z0-9_]*(?:['+-][a-z0-9_+]+)*"  # ASCII words and identifiers: don't, trade-off, c++
    r"|\d+(?:[.,]\d+)*"  # numbers
    r"|[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"  # Japanese and Chinese: one character, one word
    r"|[^\W\d_a-z][^\W\d_]*"  # words that begin with any other letter
)

_FENCE = re.compile(r"^\s*(?:```|~~~)")
_CODE_LINE = re.compile(
    r"""^(?:
      \s*(?:[}\])]+[;,]?|[{\[(])\s*$                                   # lone brackets
    | \s*(?://|/\*|\*/|\#include|\#define|--\s|<!--|@\w+|\$\s|>>>\s|\#!/)  # comments, decorators, shell prompts
    | \s*(?:import|from|using|package|use|require|include)\s+[\w.:*/"'@<>{}]+(?:\s+(?:import|as|from)\b.*)?;?\s*$
    | \s*(?:def|class|func|fn|function|namespace|public|private|protected|static|void|int|if|for|while|else|elif|try
        |catch|except|struct|enum|impl|pub|switch|case|do|with|async|export)\b.*[;{}:()=,]\s*$
    | \s*(?:const|let|var|val|auto|final)\s+\w+.*=.*$
    | \s*(?:return|raise|throw|yield|await)\s+\S+\s*$
    | \s*(?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|FROM|WHERE|JOIN|LEFT|INNER|GROUP\sBY|ORDER\sBY|VALUES)\b.*$
    | .*[;{}]\s*$                                                       # statement ends
    | \s*[\w.\[\]"']+\s*(?:=|:=|\+=|=>)\s*\S.*$                         # assignments
    | \s*</?[a-zA-Z][^>]*>.*$                                           # markup
    | \s*"?[\w.$-]+"?\s*:\s*(?:\S{1,40}|"[^"]*"|[\[{].*)?,?\s*$         # keys and values
    | \s*-\s+[\w.-]+:\s*\S*\s*$                                         # YAML lists
    | \s{2,}\S.*[()=\[\]{}<>;].*$                                       # indented with symbols
    | \s*\w+(?:\.\w+)*\([^)]*\)[;,]?\s*$                                # bare calls
    | [+-]\s*\S*[()=;{}].*$                                             # diff lines
    )""",
    re.VERBOSE,
)
_LOG_LINE = re.compile(
    r"^\s*(?:\[?\d{4}-\d\d-\d\d[T ]|\[?\d\d:\d\d:\d\d|\d+\.\d+\.\d+\.\d+\s|at \w[\w.$<>]*\(|File \"|Traceback|Caused by:|[\w.]*(?:Error|Exception)\b:?"
    r"|(?:ERROR|WARN|INFO|DEBUG|FATAL|E/|W/)\b|#\d+\s+0x|goroutine \d+|thread '|panic:)"
)
_TABLE_LINE = re.compile(r"^[^\s,;|\t]*(?:(?:[,;\t][^,;\t]{0,40}){2,}|.*\|.*\|.*)$")


@dataclass(frozen=True, slots=True)
class PromptText:
    """One prompt as features see it.

    `text` is the bounded prompt, `instruction` its prose without pasted code, logs and tables (the whole text where
    nothing else is left), `words` and `instruction_words` the lower-case words of each.
    """

    text: str
    length: int
    instruction: str
    words: list[str]
    instruction_words: list[str]
    lines: int
    code_lines: int
    log_lines: int
    table_lines: int
    fences: int


def read_prompt(prompt: str) -> PromptText:
    """Bound, split and tokenise one prompt. Never fails on any string; lone surrogates count as unknown letters."""
    length = len(prompt)
    text = prompt if length <= MAX_CHARS else f"{prompt[:HEAD_CHARS]}\n{prompt[-TAIL_CHARS:]}"
    lowered = text.lower()
    words = WORD.findall(lowered)
    if "\n" not in text:
        instruction, code, logs, tables, fences, count = text, 0, 0, 0, text.count("```"), 1
    else:
        prose, code, logs, tables, fences, count = _split_lines(text)
        instruction = "\n".join(prose) if prose else text
    if len(instruction) > INSTRUCTION_CHARS:
        tail = INSTRUCTION_CHARS // 3
        instruction = f"{instruction[: INSTRUCTION_CHARS - tail]}\n{instruction[-tail:]}"
    instruction_words = words if instruction is text else WORD.findall(instruction.lower())
    return PromptText(text, length, instruction, words, instruction_words, count, code, logs, tables, fences)


def _split_lines(text: str) -> tuple[list[str], int, int, int, int, int]:
    """Prose lines, then the counts of code, log and table lines, of fences and of all lines that are not blank."""
    prose: list[str] = []
    code = logs = tables = fences = count = 0
    inside = False
    is_code, is_log, is_table = _CODE_LINE.match, _LOG_LINE.match, _TABLE_LINE.match
    for line in text.split("\n"):
        line = line[:400]
        if not line or line.isspace():
            continue
        count += 1
        if "```" in line or "~~~" in line:
            if _FENCE.match(line):
                fences += 1
                inside = not inside
                continue
        if inside:
            code += 1
        elif is_log(line):
            logs += 1
        elif is_code(line):
            code += 1
        elif is_table(line):
            tables += 1
        else:
            prose.append(line)
    return prose, code, logs, tables, fences, count
