"""Chat completions and completions as OpenAI's clients read them, whole and in pieces."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from turnout.gateway.openai.shapes import encode, error_body, frame, logprobs, to_bytes, told, tool_call, usage
from turnout.gateway.refusals import Refusal
from turnout.types import Chunk, Completion, TokenLogprob

DONE = b"data: [DONE]\n\n"
COMMENT = b": waiting\n\n"


class ChatAnswer:
    """Writes one chat completion.

    Args:
        include_usage: whether a stream ends with the tokens that were used.
    """

    media_type = "text/event-stream"
    comment = COMMENT

    def __init__(self, *, include_usage: bool = False) -> None:
        self._include_usage = include_usage
        self._created = int(time.time())
        self._head = ""
        self._has_spoken = False

    def whole(self, completion: Completion) -> bytes:
        """The whole answer."""
        answer = completion.answer
        message: dict[str, Any] = {
            "role": "assistant",
            "content": answer.text if answer.text or not answer.tool_calls else None,
        }
        if answer.reasoning:
            message["reasoning_content"] = answer.reasoning
        if answer.tool_calls:
            message["tool_calls"] = [tool_call(call) for call in answer.tool_calls]
        choice = {
            "index": 0,
            "message": message,
            "logprobs": {"content": logprobs(answer.logprobs)} if answer.logprobs else None,
            "finish_reason": answer.finish,
        }
        body = {
            "id": f"chatcmpl-{completion.id}",
            "object": "chat.completion",
            "created": self._created,
            "model": completion.candidate,
            "choices": [choice],
            "usage": usage(answer.usage),
            "turnout": told(completion),
        }
        return to_bytes(encode(body))

    def begin(self, identifier: str, candidate: str) -> bytes:
        """What comes before the first piece."""
        head = {
            "id": f"chatcmpl-{identifier}",
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": candidate,
        }
        self._head = f"data: {encode(head)[:-1]},"
        return b""

    def piece(self, chunk: Chunk) -> bytes:
        """One piece; nothing of it where nothing was said."""
        if not (chunk.has_content or chunk.logprobs):
            return b""
        delta: dict[str, Any] = {}
        if not self._has_spoken:
            self._has_spoken = True
            delta["role"] = "assistant"
        if chunk.text or (not chunk.reasoning and not chunk.tool_calls):
            delta["content"] = chunk.text
        if chunk.reasoning:
            delta["reasoning_content"] = chunk.reasoning
        if chunk.tool_calls:
            delta["tool_calls"] = [
                {
                    "index": call.index,
                    **({"id": call.id, "type": "function"} if call.id else {}),
                    "function": {**({"name": call.name} if call.name else {}), "arguments": call.arguments},
                }
                for call in chunk.tool_calls
            ]
        likely = f',"logprobs":{{"content":{encode(logprobs(chunk.logprobs))}}}' if chunk.logprobs else ""
        return to_bytes(
            f'{self._head}"choices":[{{"index":0,"delta":{encode(delta)}{likely},"finish_reason":null}}]}}\n\n'
        )

    def end(self, completion: Completion) -> bytes:
        """The last pieces."""
        delta = {} if self._has_spoken else {"role": "assistant", "content": ""}
        choice = {"index": 0, "delta": delta, "finish_reason": completion.answer.finish}
        last = f'{self._head}"choices":[{encode(choice)}],"turnout":{encode(told(completion))}}}\n\n'
        if self._include_usage:
            last += f'{self._head}"choices":[],"usage":{encode(usage(completion.usage))}}}\n\n'
        return to_bytes(last) + DONE

    def broken(self, refusal: Refusal) -> bytes:
        """The end of an answer that failed."""
        return frame(error_body(refusal), "error")


class TextAnswer:
    """Writes one completion of a text.

    Args:
        include_usage: whether a stream ends with the tokens that were used.
    """

    media_type = "text/event-stream"
    comment = COMMENT

    def __init__(self, *, include_usage: bool = False) -> None:
        self._include_usage = include_usage
        self._created = int(time.time())
        self._identifier = self._candidate = ""
        self._likely_chars = 0  # of the tokens whose log-probabilities were told; these may come ahead of their text

    def whole(self, completion: Completion) -> bytes:
        """The whole answer."""
        answer = completion.answer
        choice = self._choice(answer.text, answer.finish)
        if answer.logprobs:
            choice["logprobs"] = _older_logprobs(answer.logprobs, 0)
        self.begin(completion.id, completion.candidate)
        body = {**self._body([choice]), "usage": usage(answer.usage), "turnout": told(completion)}
        return to_bytes(encode(body))

    def begin(self, identifier: str, candidate: str) -> bytes:
        """What comes before the first piece."""
        self._identifier, self._candidate = f"cmpl-{identifier}", candidate
        return b""

    def piece(self, chunk: Chunk) -> bytes:
        """One piece; reasoning has no place in this dialect."""
        if not (chunk.text or chunk.logprobs):
            return b""
        choice = self._choice(chunk.text, None)
        if chunk.logprobs:
            choice["logprobs"] = _older_logprobs(chunk.logprobs, self._likely_chars)
            self._likely_chars += sum(len(entry.token) for entry in chunk.logprobs)
        return frame(self._body([choice]))

    def end(self, completion: Completion) -> bytes:
        """The last pieces."""
        last = {**self._body([self._choice("", completion.answer.finish)]), "turnout": told(completion)}
        used = frame({**self._body([]), "usage": usage(completion.usage)}) if self._include_usage else b""
        return frame(last) + used + DONE

    def broken(self, refusal: Refusal) -> bytes:
        """The end of an answer that failed."""
        return frame(error_body(refusal), "error")

    def _body(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self._identifier,
            "object": "text_completion",
            "created": self._created,
            "model": self._candidate,
            "choices": choices,
        }

    def _choice(self, text: str, finish: str | None) -> dict[str, Any]:
        return {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}


def _older_logprobs(tokens: Sequence[TokenLogprob], at: int) -> dict[str, Any]:
    """Log-probabilities in the shape that completions have; `at` is where the first token begins in the whole text."""
    lengths = [len(entry.token) for entry in tokens]
    return {
        "tokens": [entry.token for entry in tokens],
        "token_logprobs": [entry.logprob for entry in tokens],
        "top_logprobs": [dict(entry.top) for entry in tokens],
        "text_offset": list(accumulate(lengths[:-1], initial=at)),
    }
