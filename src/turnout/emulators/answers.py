"""Seeded answers: whether a model succeeds follows from its quality and the prompt's difficulty, and can be judged."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

from turnout.emulators import prose
from turnout.emulators.chance import draw, pick
from turnout.emulators.language_model import LanguageModel
from turnout.emulators.questions import Question, Tool
from turnout.emulators.schema import conforming
from turnout.emulators.tokens import alternatives, split_tokens, token_logprob
from turnout.features import extract

Finish: TypeAlias = Literal["stop", "length", "tool_calls"]
PieceKind: TypeAlias = Literal["thinking", "text", "call"]

_STEEPNESS: Final = 10.0
_HEADROOM: Final = 0.05
"""A model exactly as good as the prompt is hard succeeds a little more often than not."""
_REFUSED_SHARE: Final = 0.12
_HEDGED_SHARE: Final = 0.25
_COLOURS: Final = (
    "amber azure cobalt copper coral crimson indigo ivory jade olive pearl russet silver teal umber".split()
)
_ANIMALS: Final = "badger crane falcon gecko heron ibex lynx marten otter plover raven stoat tapir vole wren".split()
_WORDS_ASKED: Final = re.compile(r"\b(\d{2,5}) words\b")
_MOST_WORDS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Script:
    """What is laid down for one prompt: how hard it is, in [0, 1], and the words of an answer to it."""

    difficulty: float
    words: int


@dataclass(frozen=True, slots=True)
class Piece:
    """One generated token. `call` is the number of the tool call that a "call" piece belongs to.

    `others` are the likeliest tokens at its place with their log-probabilities; none means that they are pretended.
    """

    kind: PieceKind
    text: str
    logprob: float
    call: int = 0
    others: tuple[tuple[str, float], ...] = ()

    def likeliest(self, count: int) -> list[tuple[str, float]]:
        """That many of the likeliest tokens here, the generated one first where they are pretended."""
        return list(self.others[:count]) if self.others else alternatives(self.text, self.logprob, count)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model makes."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(slots=True)
class Answer:
    """What a model generates for one question: `pieces` in the order in which they are made.

    `tokens` counts them; it stays what it was when a fault takes the text away. `prompt_tokens` are those that were
    read. All of it is final once the pieces were generated.
    """

    pieces: tuple[Piece, ...]
    calls: tuple[ToolCall, ...]
    finish: Finish
    right: bool
    tokens: int
    prompt_tokens: int

    @property
    def text(self) -> str:
        """The visible text."""
        return "".join(piece.text for piece in self.pieces if piece.kind == "text")

    @property
    def thinking(self) -> str:
        """The reasoning before it."""
        return "".join(piece.text for piece in self.pieces if piece.kind == "thinking")

    def emptied(self) -> Answer:
        """The same tokens counted, and nothing to read."""
        return replace(self, pieces=(), calls=(), finish="stop")


@lru_cache(maxsize=4096)
def difficulty(prompt: str) -> float:
    """How hard a prompt is, in [0, 1]: a tenth of the complexity score that routing sees as well."""
    return extract(prompt).task.complexity_score / 10 if prompt.strip() else 0.0


def success_probability(model: LanguageModel, prompt: str, script: Script | None = None) -> float:
    """How likely this model answers this prompt rightly, over all seeds."""
    hard = script.difficulty if script else difficulty(prompt)
    return 1 / (1 + math.exp(-_STEEPNESS * (model.quality + _HEADROOM - hard)))


def succeeds(seed: int, model: LanguageModel, prompt: str, script: Script | None = None) -> bool:
    """Whether it does so with this seed."""
    return draw("success", seed, model.name, prompt) < success_probability(model, prompt, script)


def solution(prompt: str) -> str:
    """The code word that every right answer to this prompt contains and no wrong one does."""
    return _code_word("solution", prompt.strip())


def judge(prompt: str, text: str) -> bool:
    """Whether a text answers the prompt rightly; give the arguments of a tool call as JSON."""
    return solution(prompt) in text


def _code_word(*purpose: object) -> str:
    return (
        f"{pick(_COLOURS, 'colour', *purpose)}-{pick(_ANIMALS, 'animal', *purpose)}-{100 + int(draw(*purpose) * 900)}"
    )


def answer(seed: int, model: LanguageModel, question: Question, script: Script | None = None) -> Answer:
    """What `model` says, the same every time for the same seed, model, question and script."""
    purpose = (seed, model.name, question.prompt)
    right = succeeds(seed, model, question.prompt, script)
    word = solution(question.prompt)
    if not right:
        numbers = itertools.count()
        word = next(other for number in numbers if (other := _code_word("wrong", number, *purpose)) != word)
    thinking = _thinking(question, *purpose) if question.think and model.thinks else ""
    calls: tuple[ToolCall, ...] = ()
    text = ""
    if tool := _tool_to_call(question):
        arguments = conforming({"type": "object", **tool.parameters}, word, *purpose)
        identifier = hashlib.blake2b(repr((tool.name, purpose)).encode(), digest_size=4).hexdigest()
        calls = (ToolCall(f"call_{identifier}", tool.name, arguments),)
    elif question.schema is not None:
        text = json.dumps(conforming(question.schema or {"type": "object"}, word, *purpose), ensure_ascii=False)
    else:
        text = _prose(question.prompt, word, right, _words(question.prompt, script, *purpose), *purpose)
    return _cut(question, thinking, text, calls, right, *purpose)


def _thinking(question: Question, *purpose: object) -> str:
    some = itertools.islice(prose.sentences("thinking", *purpose), 2)
    return f"They ask about {prose.topic_of(question.prompt)}. {' '.join(some)}\n"


def _tool_to_call(question: Question) -> Tool | None:
    """The tool that the prompt names, or that has to be called."""
    if not question.tools or question.tool_choice == "none":
        return None
    chosen = [tool for tool in question.tools if tool.name == question.tool_choice]
    if chosen:
        return chosen[0]
    prompt = question.prompt.lower()
    named = [tool for tool in question.tools if tool.name and tool.name.lower() in prompt]
    if named and not question.tool_results:
        return named[0]
    return question.tools[0] if question.tool_choice == "required" else None


def _words(prompt: str, script: Script | None, *purpose: object) -> int:
    """How many words of prose are said: those laid down, those that the prompt asks for, or some."""
    if script:
        return script.words
    asked = _WORDS_ASKED.search(prompt)
    return min(int(asked[1]), _MOST_WORDS) if asked else 25 + int(80 * draw("length", *purpose))


def _prose(prompt: str, word: str, right: bool, wanted: int, *purpose: object) -> str:
    luck = draw("manner", *purpose)
    if not right and luck < _REFUSED_SHARE:
        return prose.refusal(*purpose)
    begin = prose.hedge(*purpose) if not right and luck < _REFUSED_SHARE + _HEDGED_SHARE else ""
    paragraphs = [f"{begin}for {prose.topic_of(prompt)}, the answer is {word}."]
    paragraphs[0] = paragraphs[0][0].upper() + paragraphs[0][1:]
    said = 0
    sentences = []
    for sentence in prose.sentences(*purpose):
        if said >= wanted:
            break
        sentences.append(sentence)
        said += len(sentence.split())
    paragraphs.append(" ".join(sentences))
    if language := prose.code_language(prompt):
        paragraphs.insert(1, prose.code_block(language, word))
    return "\n\n".join(paragraphs)


def _cut(
    question: Question, thinking: str, text: str, calls: tuple[ToolCall, ...], right: bool, *purpose: object
) -> Answer:
    """Apply stop sequences and the limit of tokens, and give each token its log-probability."""
    ends = [place for stop in question.stop if stop and (place := text.find(stop)) >= 0]
    if ends:
        text = text[: min(ends)]
    parts: list[tuple[PieceKind, str, int]] = [("thinking", token, 0) for token in split_tokens(thinking)]
    parts += [("text", token, 0) for token in split_tokens(text)]
    for number, call in enumerate(calls):
        parts += [("call", token, number) for token in split_tokens(json.dumps(call.arguments, ensure_ascii=False))]
    finish: Finish = "tool_calls" if calls else "stop"
    if question.max_tokens is not None and len(parts) > question.max_tokens:
        finish, calls = "length", ()
        parts = [part for part in parts[: question.max_tokens] if part[0] != "call"]
    pieces = tuple(
        Piece(kind, token, token_logprob(right, place, *purpose), number)
        for place, (kind, token, number) in enumerate(parts)
    )
    tokens = len(pieces) if finish != "length" else question.max_tokens or 0
    return Answer(pieces, calls, finish, right, tokens, question.prompt_tokens)
