"""Responses as OpenAI's clients read them, whole and as the events of a stream."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from turnout.gateway.openai.chat import COMMENT
from turnout.gateway.openai.shapes import encode, frame, logprobs, to_bytes, told
from turnout.gateway.refusals import Refusal
from turnout.types import Chunk, Completion, Usage


class ResponseAnswer:
    """Writes one response.

    Args:
        body: what was asked, of which a response repeats some.
    """

    media_type = "text/event-stream"
    comment = COMMENT

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body
        self._created = int(time.time())
        self._identifier = self._candidate = ""
        self._number = 0
        self._items: list[dict[str, Any]] = []  # those that were begun, in order
        self._calls: dict[int, int] = {}  # the place among the items of each call

    def whole(self, completion: Completion) -> bytes:
        """The whole answer."""
        self._identifier, self._candidate = completion.id, completion.candidate
        return to_bytes(encode(self._whole(completion)))

    def begin(self, identifier: str, candidate: str) -> bytes:
        """What comes before the first piece."""
        self._identifier, self._candidate = identifier, candidate
        begun = self._response("in_progress")
        return self._event("response.created", response=begun) + self._event("response.in_progress", response=begun)

    def piece(self, chunk: Chunk) -> bytes:
        """One piece."""
        told = b""
        if chunk.reasoning:
            told += self._say("reasoning", chunk.reasoning, [])
        if chunk.text or (chunk.logprobs and not chunk.reasoning):
            told += self._say("message", chunk.text, logprobs(chunk.logprobs))
        for call in chunk.tool_calls:
            if call.index not in self._calls:
                self._calls[call.index] = len(self._items)
                told += self._open(_call_item(self._identifier, len(self._items), call.id, call.name))
            at = self._calls[call.index]
            item = self._items[at]
            item["name"] = call.name or item["name"]
            item["arguments"] += call.arguments
            if call.arguments:
                told += self._event(
                    "response.function_call_arguments.delta",
                    item_id=item["id"],
                    output_index=at,
                    delta=call.arguments,
                )
        return told

    def end(self, completion: Completion) -> bytes:
        """The last events."""
        told = self._close_all()
        whole = self._whole(completion, self._items)
        kind = "response.incomplete" if whole["status"] == "incomplete" else "response.completed"
        return told + self._event(kind, response=whole)

    def broken(self, refusal: Refusal) -> bytes:
        """The end of an answer that failed."""
        failed = self._response("failed", self._items)
        failed["error"] = {"code": refusal.code, "message": refusal.message}
        # Clients take an event with an `error` inside for an exception; the fields beside it are as it is documented.
        told = {"code": refusal.code, "message": refusal.message, "param": refusal.param}
        return self._event("response.failed", response=failed) + self._event(
            "error", **told, error={**told, "type": refusal.kind}
        )

    def _say(self, kind: str, text: str, likely: list[dict[str, Any]]) -> bytes:
        told = b""
        if not self._items or self._items[-1]["type"] != kind:
            at = len(self._items)
            told = self._open(
                _message_item(self._identifier, at) if kind == "message" else _reasoning_item(self._identifier, at)
            )
            if kind == "message":
                told += self._event(
                    "response.content_part.added",
                    item_id=self._items[at]["id"],
                    output_index=at,
                    content_index=0,
                    part={"type": "output_text", "text": "", "annotations": [], "logprobs": []},
                )
        at = len(self._items) - 1
        item = self._items[at]
        item["content"][0]["text"] += text
        if kind == "message":
            item["content"][0]["logprobs"] += likely
            return told + self._event(
                "response.output_text.delta",
                item_id=item["id"],
                output_index=at,
                content_index=0,
                delta=text,
                logprobs=likely,
            )
        return told + self._event(
            "response.reasoning_text.delta", item_id=item["id"], output_index=at, content_index=0, delta=text
        )

    def _open(self, item: dict[str, Any]) -> bytes:
        ended = self._close_all() if item["type"] != "function_call" else self._close_all("message", "reasoning")
        self._items.append(item)
        shown = {**item, "content": []} if "content" in item else item
        return ended + self._event("response.output_item.added", output_index=len(self._items) - 1, item=shown)

    def _close_all(self, *kinds: str) -> bytes:
        """End what was begun; calls may grow side by side, everything else one after the other."""
        return b"".join(
            self._close(at, item)
            for at, item in enumerate(self._items)
            if item["status"] != "completed" and (not kinds or item["type"] in kinds)
        )

    def _close(self, at: int, item: dict[str, Any]) -> bytes:
        place = {"item_id": item["id"], "output_index": at}
        item["status"] = "completed"
        told = b""
        if item["type"] == "message":
            part = item["content"][0]
            told += self._event(
                "response.output_text.done", **place, content_index=0, text=part["text"], logprobs=part["logprobs"]
            ) + self._event("response.content_part.done", **place, content_index=0, part=part)
        elif item["type"] == "function_call":
            told += self._event(
                "response.function_call_arguments.done", **place, name=item["name"], arguments=item["arguments"]
            )
        else:
            told += self._event(
                "response.reasoning_text.done", **place, content_index=0, text=item["content"][0]["text"]
            )
        return told + self._event("response.output_item.done", output_index=at, item=item)

    def _event(self, kind: str, **fields: Any) -> bytes:
        made = frame({"type": kind, "sequence_number": self._number, **fields}, kind)
        self._number += 1
        return made

    def _whole(self, completion: Completion, items: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        answer = completion.answer
        items = _items(completion) if items is None else items
        cut = answer.finish in ("length", "content_filter")
        body = self._response("incomplete" if cut else "completed", items)
        if cut:
            reason = "max_output_tokens" if answer.finish == "length" else "content_filter"
            body["incomplete_details"] = {"reason": reason}
        body["usage"] = _usage(answer.usage)
        body["turnout"] = told(completion)
        return body

    def _response(self, status: str, items: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        body = self._body
        return {
            "id": f"resp_{self._identifier}",
            "object": "response",
            "created_at": self._created,
            "status": status,
            "model": self._candidate,
            "output": items or [],
            "error": None,
            "incomplete_details": None,
            "instructions": body.get("instructions"),
            "metadata": body.get("metadata") or {},
            "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
            "reasoning": body.get("reasoning"),
            "text": body.get("text") or {"format": {"type": "text"}},
            "truncation": "disabled",
            "temperature": body.get("temperature"),
            "top_p": body.get("top_p"),
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": body.get("tools") or [],
            "max_output_tokens": body.get("max_output_tokens"),
            "previous_response_id": None,
            "store": False,
            "usage": None,
        }


def _items(completion: Completion) -> list[dict[str, Any]]:
    answer, items = completion.answer, []
    if answer.reasoning:
        items.append({**_reasoning_item(completion.id, 0), "status": "completed"})
        items[-1]["content"][0]["text"] = answer.reasoning
    if answer.text or not answer.tool_calls:
        item = {**_message_item(completion.id, len(items)), "status": "completed"}
        item["content"][0] |= {"text": answer.text, "logprobs": logprobs(answer.logprobs)}
        items.append(item)
    for call in answer.tool_calls:
        item = _call_item(completion.id, len(items), call.id, call.name)
        items.append({**item, "arguments": call.arguments, "status": "completed"})
    return items


def _message_item(identifier: str, at: int) -> dict[str, Any]:
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    return {
        "id": f"msg_{identifier}_{at}",
        "type": "message",
        "status": "in_progress",
        "role": "assistant",
        "content": [part],
    }


def _reasoning_item(identifier: str, at: int) -> dict[str, Any]:
    part = {"type": "reasoning_text", "text": ""}
    return {
        "id": f"rs_{identifier}_{at}",
        "type": "reasoning",
        "status": "in_progress",
        "summary": [],
        "content": [part],
    }


def _call_item(identifier: str, at: int, call: str, name: str) -> dict[str, Any]:
    return {
        "id": f"fc_{identifier}_{at}",
        "type": "function_call",
        "status": "in_progress",
        "call_id": call or f"call_{identifier}_{at}",
        "name": name,
        "arguments": "",
    }


def _usage(used: Usage) -> dict[str, Any] | None:
    if used.prompt_tokens is None and used.completion_tokens is None:
        return None
    prompt, made = used.prompt_tokens or 0, used.completion_tokens or 0
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": used.cached_tokens or 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": used.reasoning_tokens or 0},
        "total_tokens": prompt + made,
    }
