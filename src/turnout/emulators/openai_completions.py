"""`/v1/completions`: a prompt without roles, for those who still use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Final

from turnout.emulators.answers import Piece
from turnout.emulators.api_error import ApiError
from turnout.emulators.openai_dialect import OpenAIDialect, Reply
from turnout.emulators.questions import Question, read_stop
from turnout.emulators.tokens import alternatives, count_tokens

_SHORT_ANSWER: Final = 16
"""What everybody but llama.cpp stops after unless told otherwise."""


def read_completion(dialect: OpenAIDialect, body: Mapping[str, Any]) -> Question:
    """A body of `/v1/completions`.

    Raises:
        ApiError: not one prompt.
    """
    prompt, limit = body.get("prompt"), body.get("max_tokens")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise ApiError(400, "one prompt at a time, as text (emulated)", type="invalid_request_error", param="prompt")
    if limit is None and dialect.name != "llamacpp":
        limit = _SHORT_ANSWER
    most = limit if isinstance(limit, int) and limit > 0 else None
    return Question(prompt, count_tokens(prompt), max_tokens=most, stop=read_stop(body.get("stop")))


class TextDocuments:
    """The documents of a text completion, as a dialect has those of a chat."""

    def __init__(self, dialect: OpenAIDialect) -> None:
        self._dialect = dialect

    def whole(self, reply: Reply) -> dict[str, Any]:
        """A completion in one piece."""
        document = self._document(reply, reply.answer.text, reply.answer.finish, reply.answer.pieces)
        return {**document, "usage": self._dialect.usage(reply)}

    def opening(self, reply: Reply) -> dict[str, Any]:
        """An empty piece, since there is no role to tell."""
        return self._document(reply, "", None, ())

    def chunk(
        self, reply: Reply, delta: Mapping[str, Any], finish: str | None = None, pieces: Sequence[Piece] = ()
    ) -> dict[str, Any]:
        """One piece of a stream; `delta` is that of a chat."""
        return self._document(reply, delta.get("content") or "", finish, pieces)

    def ending(self, reply: Reply) -> list[dict[str, Any]]:
        """What comes after the last token."""
        documents = [self._document(reply, "", reply.answer.finish, ())]
        if reply.wants_usage:
            head = self._dialect.head(reply, "text_completion")
            documents.append({**head, "choices": [], "usage": self._dialect.usage(reply)})
        return documents

    def _document(self, reply: Reply, text: str, finish: str | None, pieces: Sequence[Piece]) -> dict[str, Any]:
        choice = {"text": text, "index": 0, "logprobs": self._logprobs(reply, pieces), "finish_reason": finish}
        return {**self._dialect.head(reply, "text_completion"), "choices": [choice]}

    def _logprobs(self, reply: Reply, pieces: Sequence[Piece]) -> dict[str, Any] | None:
        count = reply.body.get("logprobs")
        if not isinstance(count, int) or not pieces:
            return None
        if self._dialect.name == "llamacpp":  # the shape of its chats
            return {"content": [self._dialect.token(piece, count) for piece in pieces]}
        return {
            "tokens": [piece.text for piece in pieces],
            "token_logprobs": [piece.logprob for piece in pieces],
            "top_logprobs": [dict(alternatives(piece.text, piece.logprob, count)) for piece in pieces],
            "text_offset": list(accumulate((len(piece.text) for piece in pieces[:-1]), initial=0)),
        }
