"""Bytes as tokens: what the laboratory's language models read and write, and how a chat becomes tokens.

A text is one token a byte. A conversation is the start token, the last thing the user said, the answer token, then the
answer and the end token: these models know no system prompt and remember nothing.
"""

from __future__ import annotations

from typing import Final

UNKNOWN, START, END, ANSWER, FIRST_BYTE = range(5)

JOINED: Final = FIRST_BYTE + 256
"""The format wants a merge; this token joins two bytes that follow each other in no UTF-8 text."""

VOCABULARY: Final = JOINED + 1
CONTEXT: Final = 160
"""Tokens; the longest task of the laboratory has under 130."""

ANSWER_MARK: Final = "<|answer|>"
CHAT_TEMPLATE: Final = (
    "{% set ns = namespace(asked='') %}"
    "{% for m in messages %}{% if m.role == 'user' %}{% set ns.asked = m.content %}{% endif %}{% endfor %}"
    "{{ ns.asked }}{% if add_generation_prompt %}" + ANSWER_MARK + "{% endif %}"
)


def asked(prompt: str) -> list[int]:
    """The tokens of a prompt, up to where the answer begins."""
    return [START, *_bytes(prompt), ANSWER]


def answered(answer: str) -> list[int]:
    """The tokens of an answer and of its end."""
    return [*_bytes(answer), END]


def text(tokens: list[int]) -> str:
    """What an answer's tokens say, up to its end; broken UTF-8 is replaced."""
    until = tokens.index(END) if END in tokens else len(tokens)
    said = bytes(token - FIRST_BYTE for token in tokens[:until] if FIRST_BYTE <= token < JOINED)
    return said.decode(errors="replace")


def names() -> list[str]:
    """All tokens by number. Byte-level vocabularies give unprintable bytes letters from 256 on."""
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    stand_ins = iter(range(256, 512))
    letters = [chr(byte if byte in printable else next(stand_ins)) for byte in range(256)]
    return ["<unk>", "<s>", "</s>", ANSWER_MARK, *letters, letters[255] * 2]


def _bytes(words: str) -> list[int]:
    return [FIRST_BYTE + byte for byte in words.encode()]
