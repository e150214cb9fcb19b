"""Whether brackets and quotes of code balance outside its strings and comments. Linear in the code, whatever it holds."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

MAX_CHARS: Final = 24_000
"""Longer code is not looked at: 20 kB take .5 ms."""

MAX_DEPTH: Final = 200
"""Brackets inside of brackets; nobody writes so many, and some parsers recurse at each."""

_OTHERS: Final = bytes(byte for byte in range(256) if chr(byte) not in "()[]{}")
_ESCAPE: Final = r"\\[\s\S]"
_DOUBLE: Final = r'"(?:[^"\\\n]|\\[\s\S])*+"'
_SINGLE: Final = r"'(?:[^'\\\n]|\\[\s\S])*+'"
_LETTER: Final = r"'(?:[^'\\\n]|\\[^'\n][^'\n]{0,9}|\\')'"
_BACKTICK: Final = r"`(?:[^`\\]|\\[\s\S])*+(?:`|\Z)"
_TRIPLE: Final = r'"""[\s\S]*?(?:"""|\Z)'
_SLASHES: Final = r"//[^\n]*+|/\*[\s\S]*?(?:\*/|\Z)"
_HASH: Final = r"(?<![^\s;])\#[^\n]*+"
_DASHES: Final = r"--[^\n]*+"


def _family(*parts: str) -> re.Pattern[str]:
    return re.compile("|".join(parts))


# What opens and is not closed runs to the end of the line or of the code, so that no text is read twice.
_SCRIPT: Final = _family(_ESCAPE, _SLASHES, _TRIPLE, _DOUBLE, _SINGLE, _BACKTICK)
_BRACES: Final = _family(_ESCAPE, _SLASHES, _TRIPLE, _DOUBLE, _LETTER)
_GO: Final = _family(_ESCAPE, _SLASHES, _DOUBLE, _LETTER, r"`[^`]*+(?:`|\Z)")
_HASHES: Final = _family(_ESCAPE, _HASH, _DOUBLE, _SINGLE)
_SQL: Final = _family(_ESCAPE, _DASHES, r"/\*[\s\S]*?(?:\*/|\Z)", _SINGLE, _DOUBLE)
_LUA: Final = _family(_ESCAPE, _DASHES, _DOUBLE, _SINGLE)
_PYTHON: Final = _family(_ESCAPE, r"\#[^\n]*+", _TRIPLE, r"'''[\s\S]*?(?:'''|\Z)", _DOUBLE, _SINGLE)
_LISP: Final = _family(_ESCAPE, r";[^\n]*+", _DOUBLE)

FAMILIES: Final = {
    **dict.fromkeys(
        "javascript js jsx mjs typescript ts tsx css scss less php jsonc json5 graphql dart groovy".split(), _SCRIPT
    ),
    **dict.fromkeys(
        "java c h cpp c++ cc hpp csharp cs c# rust rs kotlin kt kts swift scala objective-c objc proto "
        "protobuf zig solidity glsl cuda verilog".split(),
        _BRACES,
    ),
    **dict.fromkeys("go golang".split(), _GO),
    **dict.fromkeys("ruby rb r julia jl elixir ex nginx nix hcl terraform tf".split(), _HASHES),
    **dict.fromkeys("sql postgresql postgres mysql sqlite plsql tsql".split(), _SQL),
    "lua": _LUA,
    **dict.fromkeys("python py python3".split(), _PYTHON),
    **dict.fromkeys("lisp clojure clj scheme racket".split(), _LISP),
}
"""Patterns of strings and comments by the label of a fence. Languages whose brackets need not balance (shell, markup,
output of a command) are left out."""


_END: Final = "\n\0"
_UNSURE: Final = re.compile(r"'|[=(,:!&|?]\s*+/[^/*\s]")
"""Text of JSX and regular expressions in a script: what was taken for a string may be none."""


def balances(code: str, label: str) -> bool | None:
    """Whether brackets and double quotes are closed; None for a language that is not known, too long, or cannot be told."""
    pattern = FAMILIES.get(label)
    if pattern is None or len(code) > MAX_CHARS:
        return None
    paired = _paired(code)
    if paired and code.count('"') % 2 == 0:
        return True
    bare = pattern.sub("", f"{code}{_END}")
    if not bare.endswith(_END[-1]):  # a comment or text over several lines ran away with it
        return False
    if pattern is _SCRIPT and _UNSURE.search(bare):
        return True if paired else None
    return False if '"' in bare else _paired(bare)


def nests_deeply(json_text: str) -> bool:
    """Whether JSON may nest deeper than parsers can follow on a small stack. Brackets inside of texts count as well."""
    if json_text.count("[") + json_text.count("{") <= MAX_DEPTH:
        return False
    raw = np.frombuffer(json_text.encode("utf-8", "replace"), np.uint8)
    opens, closes = (raw == ord("[")) | (raw == ord("{")), (raw == ord("]")) | (raw == ord("}"))
    return int(np.cumsum(opens.astype(np.int32) - closes).max()) > MAX_DEPTH


def _paired(code: str) -> bool | None:
    """Whether all brackets pair; None where they nest deeper than anybody writes."""
    left = code.encode("utf-8", "replace").translate(None, _OTHERS)
    for _ in range(MAX_DEPTH):
        size = len(left)
        left = left.replace(b"()", b"").replace(b"[]", b"").replace(b"{}", b"")
        if not left:
            return True
        if len(left) == size:
            return False
    return None
