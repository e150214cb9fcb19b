"""Pieces into one answer: text, reasoning, tool calls by index, log-probabilities, and what the frames told besides."""

from __future__ import annotations

import json
from dataclasses import replace

from turnout.types import Answer, Chunk, Finish, Timings, TokenLogprob, ToolCall, Usage

_OPEN, _CLOSE = "<think>", "</think>"


class ReasoningSplitter:
    """Moves a leading `<think>` block from the text to the reasoning.

    Providers have fields for reasoning, but some language models still write it into the content. Only a block that
    opens the answer counts; the same word later is content. Any cut of the text gives the same split.
    """

    def __init__(self) -> None:
        self._state = "start"
        self._held = ""

    def feed(self, text: str) -> tuple[str, str]:
        """Text and reasoning that are certain after this piece."""
        if self._state == "text":
            return text, ""
        self._held += text
        if self._state == "start":
            seen = self._held.lstrip()
            if len(seen) < len(_OPEN) and _OPEN.startswith(seen):
                return "", ""
            if not seen.startswith(_OPEN):
                self._state = "text"
                return self._flush(), ""
            self._state, self._held = "reasoning", seen.removeprefix(_OPEN)
        if self._state == "gap":
            return self._after_block("")
        reasoning, closed, rest = self._held.partition(_CLOSE)
        if closed:
            self._state, self._held = "gap", rest
            return self._after_block(reasoning)
        keep = next((n for n in range(len(_CLOSE) - 1, 0, -1) if self._held.endswith(_CLOSE[:n])), 0)
        certain = self._held[: len(self._held) - keep]
        self._held = self._held[len(certain) :]
        return "", certain

    def close(self) -> tuple[str, str]:
        """What was held back when the text ends."""
        held = self._flush()
        return ("", held) if self._state == "reasoning" else (held, "")

    def _after_block(self, reasoning: str) -> tuple[str, str]:
        text = self._held.lstrip("\n")
        if not text:
            self._held = ""
            return "", reasoning
        self._state = "text"
        self._held = ""
        return text, reasoning

    def _flush(self) -> str:
        held, self._held = self._held, ""
        return held


class Assembly:
    """One answer in the making. Adapters set what the frames tell; `partial_text` is for errors."""

    def __init__(self, candidate: str) -> None:
        self.candidate = candidate
        self.model = ""
        self.checked_model = ""
        self.finish: Finish | None = None
        self.usage = Usage()
        self.timings = Timings()
        self.warnings: list[str] = []
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, ToolCall] = {}
        self._logprobs: list[TokenLogprob] = []
        self._splitter = ReasoningSplitter()

    @property
    def partial_text(self) -> str:
        """The text so far."""
        return "".join(self._text)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was written at all."""
        return not (self._text or self._reasoning or self._calls)

    @property
    def calls(self) -> int:
        """How many tool calls have begun."""
        return len(self._calls)

    @property
    def has_logprobs(self) -> bool:
        """Whether any log-probability came."""
        return bool(self._logprobs)

    def add(self, chunk: Chunk) -> Chunk:
        """Take a piece in; what may be sent on, its reasoning split from its text, comes back."""
        if chunk.text:
            text, reasoning = self._splitter.feed(chunk.text)
            if text is not chunk.text:
                chunk = replace(chunk, text=text, reasoning=chunk.reasoning + reasoning)
        return self._keep(chunk)

    def close(self) -> Chunk:
        """No more pieces; what was held back comes back."""
        text, reasoning = self._splitter.close()
        return self._keep(Chunk(text, reasoning))

    def _keep(self, chunk: Chunk) -> Chunk:
        if chunk.text:
            self._text.append(chunk.text)
        if chunk.reasoning:
            self._reasoning.append(chunk.reasoning)
        if chunk.logprobs:
            self._logprobs.extend(chunk.logprobs)
        for piece in chunk.tool_calls:
            old = self._calls.get(piece.index, ToolCall("", "", ""))
            # Some servers repeat an empty or the same name in each piece: the first that says something stays.
            self._calls[piece.index] = ToolCall(
                old.id or piece.id, old.name or piece.name, old.arguments + piece.arguments
            )
        return chunk

    def answer(self) -> Answer:
        """The whole answer, once its end is proven."""
        calls = tuple(
            replace(call, id=call.id or f"call_{index}", arguments=call.arguments or "{}")
            for index, call in sorted(self._calls.items())
        )
        if self.is_empty:
            self.warnings.append("the answer is empty")
        for call in calls:
            if not _is_object(call.arguments):
                self.warnings.append(f"the arguments of the call of {call.name or 'a tool without name'} are not JSON")
        return Answer(
            candidate=self.candidate,
            model=self.model,
            text="".join(self._text),
            reasoning="".join(self._reasoning),
            tool_calls=calls,
            finish="tool_calls" if calls and self.finish in (None, "stop") else self.finish or "stop",
            usage=self.usage,
            logprobs=tuple(self._logprobs),
            timings=self.timings,
            warnings=tuple(self.warnings),
        )


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
