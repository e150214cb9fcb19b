"""Reading a condition before anything compiles it: its words one by one, each where it may stand, none of them unknown.

The walk bounds what could hurt later: the parser's recursion by brackets and length, evaluation by the number of
additions and comprehensions, of which none may stand inside another.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from turnout.config.expression_variables import ALIASES, VARIABLES
from turnout.config.problems import nearest
from turnout.errors import ConfigurationError

MAX_CHARACTERS: Final = 2_000
MAX_TOKENS: Final = 400
MAX_DEPTH: Final = 24
MAX_ADDITIONS: Final = 16
MAX_COMPREHENSIONS: Final = 4

FUNCTIONS: Final = frozenset({"size", "contains", "startsWith", "endsWith", "int", "uint", "double", "string", "type"})
COMPREHENSIONS: Final = frozenset({"all", "exists", "exists_one", "existsOne", "filter", "map"})
_WORDS: Final = {"and": "&&", "or": "||", "not": "!", "AND": "&&", "OR": "||", "NOT": "!"}

_TOKEN: Final = re.compile(
    r"""
      (?P<blank>\s+|//[^\n]*)
    | (?P<text>[rR]'[^'\n]*'|[rR]"[^"\n]*"|'(?:[^'\\\n]|\\.)*+'|"(?:[^"\\\n]|\\.)*+")
    | (?P<name>[A-Za-z_]\w*)
    | (?P<number>0[xX][0-9a-fA-F]+[uU]?|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?[uU]?)
    | (?P<mark>&&|\|\||[=!<>]=|[-+*/%<>!?:.,()[\]{}])
    """,
    re.VERBOSE | re.ASCII,
)


class ExpressionError(ConfigurationError):
    """A condition is refused; the message says what is wrong in it and names the nearest valid word."""


class Token(NamedTuple):
    kind: str
    text: str
    start: int

    @property
    def value(self) -> str:
        """The content of a text."""
        return self.text[2:-1] if self.text[0] in "rR" else self.text[1:-1]


_END: Final = Token("end", "", 0)


def tokens_of(text: str) -> list[Token]:
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(f"the condition has {len(text)} characters; at most {MAX_CHARACTERS} are read")
    if '"""' in text or "'''" in text:
        raise ExpressionError("text stands between single quotes, 'like this', not between three")
    tokens: list[Token] = []
    at = depth = additions = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ExpressionError(f"column {at + 1}: {text[at]!r} cannot stand here")
        at = found.end()
        if found.lastgroup == "blank":
            continue
        token = Token(str(found.lastgroup), found.group(), found.start())
        tokens.append(token)
        depth += (token.text in "([{") - (token.text in ")]}")
        additions += token.text in "+?"
        if depth > MAX_DEPTH:
            raise ExpressionError(f"column {token.start + 1}: nested deeper than {MAX_DEPTH} brackets")
        if additions > MAX_ADDITIONS:
            raise ExpressionError(f"more than {MAX_ADDITIONS} times + or ?; split the rule")
    if not tokens:
        raise ExpressionError("the condition is empty")
    if len(tokens) > MAX_TOKENS:
        raise ExpressionError(f"the condition has {len(tokens)} words and signs; at most {MAX_TOKENS} are read")
    return tokens


def flat(path: tuple[str, ...]) -> str:
    """The one name that stands for a path: an evaluation finds it in a quarter of the time, and a fact is one value."""
    return "__".join(re.sub(r"[^A-Za-z0-9]", lambda found: f"_{ord(found[0]):x}_", part) for part in path)


def _with(names: Mapping[str, frozenset[str] | None], variable: str, name: str | None) -> frozenset[str] | None:
    seen = names.get(variable, frozenset())
    return None if name is None or seen is None else seen | {name}


class Reading:
    """One walk over the tokens of a condition: which names it uses, and whether each may stand where it does.

    What it finds: `variables`, aliases resolved; names `bound` by comprehensions; all `members` behind dots and in
    brackets; the entries `asked` of each map with names of its own, None for any; the same for maps that are used
    `whole`; `literals` that variables are compared with; `paths` such as provider.ollama.healthy by the flat name that
    stands for them (see `flat`).
    """

    def __init__(self, tokens: list[Token], known: Mapping[str, Collection[str] | None]) -> None:
        self._tokens = tokens
        self._known = known
        self.variables: set[str] = set()
        self.bound: set[str] = set()
        self.members: set[str] = set()
        self.asked: dict[str, frozenset[str] | None] = {}
        self.whole: dict[str, frozenset[str] | None] = {}
        self.paths: dict[str, tuple[str, ...]] = {}
        self._replaced: list[tuple[int, int, str]] = []
        self.literals: dict[str, list[str]] = {}

    def plain(self, text: str) -> str:
        """The condition in words that the engine is given."""
        for first, end, name in reversed(self._replaced):
            last = self._tokens[end - 1]
            text = f"{text[: self._tokens[first].start]}{name}{text[last.start + len(last.text) :]}"
        return text

    def _at(self, index: int) -> Token:
        return self._tokens[index] if 0 <= index < len(self._tokens) else _END

    def walk(self) -> None:
        open_brackets: list[str] = []  # the variable that a comprehension binds, else nothing
        comprehensions = 0
        for index, token in enumerate(self._tokens):
            before, after = self._at(index - 1), self._at(index + 1)
            if token.text in "([{" and token.kind == "mark":
                bound = ""
                if self._at(index - 2).text == "." and before.text in COMPREHENSIONS and token.text == "(":
                    bound, comprehensions = after.text, comprehensions + 1
                    if any(open_brackets) or comprehensions > MAX_COMPREHENSIONS:
                        raise ExpressionError(
                            f"{before.text}(...) inside another comprehension, or more than {MAX_COMPREHENSIONS} of them; "
                            "split the rule"
                        )
                    if bound in VARIABLES or bound in ALIASES:
                        raise ExpressionError(
                            f"{before.text}({bound}, ...) hides the variable {bound}; take another name"
                        )
                    self.bound.add(bound)
                open_brackets.append(bound)
            elif token.text in ")]}" and token.kind == "mark" and open_brackets:
                open_brackets.pop()
            elif token.text == "." and not (before.kind in ("name", "text", "number") or before.text in ")]}"):
                raise ExpressionError(f"column {token.start + 1}: a dot cannot stand here")
            elif token.kind == "text" and before.text == "[" and after.text == "]":
                self.members.add(token.value)
            elif token.kind == "name" and token.text not in ("true", "false", "null", "in"):
                self._name(index, token, open_brackets)

    def _name(self, index: int, token: Token, bound: list[str]) -> None:
        before, after = self._at(index - 1), self._at(index + 1)
        if after.text == "(":
            self._function(token.text, before.text == ".")
        elif after.text == "{":
            raise ExpressionError(f"{token.text}{{...}}: records cannot stand in a condition")
        elif before.text == ".":
            self.members.add(token.text)
        elif token.text not in bound:
            variable = ALIASES.get(token.text, token.text)
            if variable not in VARIABLES:
                raise ExpressionError(self._unknown(index, token.text))
            self.variables.add(variable)
            self._literals(index, variable)
            path, end = self._members(index, variable) if VARIABLES[variable].type == "map" else ((), index + 1)
            if path:
                self.paths[flat(path)] = path
            self._replaced.append((index, end, flat(path) if path else variable))

    def _function(self, name: str, of_something: bool) -> None:
        if name == "matches":
            raise ExpressionError("matches is not offered, it takes too long; use contains, startsWith, endsWith or in")
        if name in FUNCTIONS or (name in COMPREHENSIONS and of_something) or (name == "has" and not of_something):
            return
        near = nearest(name, FUNCTIONS | COMPREHENSIONS | {"has"})
        raise ExpressionError(f"unknown function {name}{f'; did you mean {near}?' if near else ''}")

    def _unknown(self, index: int, name: str) -> str:
        if name in _WORDS:
            return f"write {_WORDS[name]} for {name!r}"
        if self._at(index - 1).text in ("-", "/") and self._at(index - 3).text == ".":
            return f"unknown variable {name}; a name with a dash or a slash stands in brackets: provider['lm-studio']"
        near = nearest(name, [*VARIABLES, *ALIASES])
        quoted = f", or '{name}' if it is text" if self._at(index - 1).text in ("==", "!=") else ""
        return f"unknown variable {name}{f'; did you mean {near}?' if near else ''}{quoted}"

    def _literals(self, index: int, variable: str) -> None:
        """Text that a variable is compared with must be one of its values, where these are known."""
        values = VARIABLES[variable].values
        before, after = self._at(index - 1), self._at(index + 1)
        found: list[Token] = []
        if after.text in ("==", "!="):
            found = [self._at(index + 2)]
        elif before.text in ("==", "!=") or (before.text == "in" and VARIABLES[variable].type == "list"):
            found = [self._at(index - 2)]
        elif after.text == "in" and self._at(index + 2).text == "[":
            at = index + 3
            while self._at(at).kind == "text":
                found.append(self._at(at))
                at += 2
        for token in found:
            if token.kind == "text":
                self.literals.setdefault(variable, []).append(token.value)
                if values and token.value not in values:
                    near = nearest(token.value, values)
                    told = f"; did you mean {near}?" if near else f"; it is among {', '.join(values)}"
                    raise ExpressionError(f"{variable} is never {token.value!r}{told}")

    def _members(self, index: int, variable: str) -> tuple[tuple[str, ...], int]:
        """Names behind a map are its fields, or an entry of it and then a field of that.

        Returns:
            The path and where it ends; an empty path where the map is used otherwise.
        """
        about = VARIABLES[variable]
        path: tuple[str, ...] = (variable,)
        name, end = self._member(index)
        if about.named:
            self.asked[variable] = _with(self.asked, variable, name)
            if name is not None:
                self._entry(variable, name)
        asks_has = self._at(index - 1).text == "(" and self._at(index - 2).text == "has"
        entry = name
        if name is not None and about.named and about.fields:
            path = (*path, name)
            name, end = self._member(end - 1)
        if name is not None and about.fields and name not in about.fields:
            near = nearest(name, about.fields)
            told = f"; did you mean {near}?" if near else f"; known are {', '.join(about.fields)}"
            raise ExpressionError(f"{variable} has no {name}{told}")
        if name is not None and not asks_has:
            return (*path, name), end
        self.whole[variable] = _with(self.whole, variable, entry)
        return (), index + 1

    def _entry(self, variable: str, name: str) -> None:
        known = self._known.get(variable)
        if variable == "header" and (name != name.lower() or "-" in name):
            raise ExpressionError(
                f"headers are written in lower case with underscores: {name.lower().replace('-', '_')}"
            )
        if variable == "candidate" and "/" not in name:
            raise ExpressionError(f"no candidate {name}; write candidate['provider/model']")
        if known is not None and name not in known:
            near = nearest(name, known)
            told = f"; did you mean {near}?" if near else f"; known are {', '.join(known) or 'none'}"
            if dashed := next((entry for entry in known if entry.startswith(f"{name}-")), ""):
                told = f"; write {variable}['{dashed}']"
            raise ExpressionError(f"no {variable} {name}{told}")

    def _member(self, index: int) -> tuple[str | None, int]:
        """The name asked of what stands at a position, None where it is not written out; and the position after it."""
        after, then = self._at(index + 1), self._at(index + 2)
        if after.text == "." and then.kind == "name" and self._at(index + 3).text != "(":
            return then.text, index + 3
        if after.text != "[":
            return None, index + 1
        depth, at = 1, index + 2
        while depth and self._at(at) is not _END:
            depth += (self._at(at).text == "[") - (self._at(at).text == "]")
            at += 1
        return (then.value if then.kind == "text" and at == index + 4 else None), at
