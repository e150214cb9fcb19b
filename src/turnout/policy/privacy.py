"""Secrets in a request: which kinds there are, never what they are. Nothing that is found leaves this module.

One pass over all four-byte windows of the text, compiled or in NumPy, finds the places where some kind's marker stands;
patterns are matched at these places only. An ordinary prompt has a handful. Time grows linearly with the text whatever it
holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from turnout import kernel
from turnout.config.patterns import bounded_pattern
from turnout.errors import ConfigurationError
from turnout.policy.privacy_patterns import PATTERNS, Pattern
from turnout.types import Request

CARD: Final = "credit_card"
IBAN: Final = "iban"
KINDS: Final[tuple[str, ...]] = (*dict.fromkeys(entry.kind for entry in PATTERNS), CARD, IBAN)
"""Every kind that is known, in the order in which found ones are named. Patterns of one's own follow by name."""

MAX_SCAN_CHARACTERS: Final = 1_000_000

_FOLD: Final = np.uint32(0x20202020)
"""Makes upper case lower, and leaves digits, dashes and dots as they are; other signs move, of markers and text alike."""

_KNUTH: Final = np.uint32(2654435761)
_FIBONACCI: Final = np.uint32(0x9E3779B1 ^ 0x5BD1E996)
_SHIFT: Final = np.uint32(16)
_DIGITS: Final = bytes(48 if 48 <= byte < 58 else 32 if byte in b" -" else 46 for byte in range(256))
"""Digits as 0, blanks and dashes as blanks, all else as dots: a long number is then a run of two signs."""

_TEN_DIGITS, _BY_FOUR, _BY_SIX = b"0" * 10, b"0000 0000 00", b"0000 000000"
"""One of these is in every card number and IBAN that can be found, and in hardly any prompt."""

_LONG_NUMBER: Final = re.compile(rb"0[0 ]{9,}+")
_CARD: Final = re.compile(
    rb"(?<![\w.,-])(?:"
    rb"(?:4\d{3}|5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720|6011|64[4-9]\d|65\d\d|35\d\d|62\d\d)"
    rb"([ -]?)\d{4}\1\d{4}\1\d{4}"  # Visa, Mastercard, Discover, JCB, UnionPay
    rb"|3[47]\d\d([ -]?)\d{6}\2\d{5}"  # American Express
    rb"|3(?:0[0-5]|[68]\d)\d([ -]?)\d{6}\3\d{4}"  # Diners Club
    rb")(?![\w-]|\.\d)"
)
_TEST_CARDS: Final = frozenset(
    (
        b"4111111111111111", b"4242424242424242", b"4012888888881881", b"4000056655665556", b"4000000000000002",
        b"5555555555554444", b"5105105105105100", b"2223003122003222", b"5200828282828210", b"378282246310005",
        b"371449635398431", b"6011111111111117", b"6011000990139424", b"3530111333300000", b"30569309025904",
        b"38520000023237", b"3056930009020004", b"3566002020360505", b"6200000000000005",
    )
)  # fmt: skip
"""Numbers that card networks and payment services publish for tests."""

_IBAN: Final = re.compile(rb"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
_TEST_IBANS: Final = frozenset((b"DE89370400440532013000", b"GB82WEST12345698765432", b"GB29NWBK60161331926819"))


def _by_marker(patterns: Iterable[Pattern]) -> dict[bytes, tuple[Pattern, ...]]:
    found: dict[bytes, tuple[Pattern, ...]] = {}
    for entry in patterns:
        for marker in entry.markers:
            found[marker.encode()] = (*found.get(marker.encode(), ()), entry)
    return found


_AT: Final = _by_marker(PATTERNS)


def _table(multiplier: np.uint32) -> NDArray[np.bool_]:
    """Whether the upper half of the product of a window with a multiplier is that of some marker."""
    table = np.zeros(1 << 16, np.bool_)
    table[((np.frombuffer(b"".join(_AT), "<u4") | _FOLD) * multiplier) >> _SHIFT] = True
    return table


_TABLE: Final = _table(_KNUTH)
_SECOND_TABLE: Final = _table(_FIBONACCI)
_SIEVES: Final = tuple(np.packbits(table, bitorder="little").tobytes() for table in (_TABLE, _SECOND_TABLE))
"""The same for the kernel, in a bit each."""

_BLOCK: Final = 1 << 14
"""Windows looked at together: their arrays stay in the cache of a core, a third of the time for long texts."""


class SecretScanner:
    """Finds kinds of secrets, and the user's own patterns. Never changes; safe to share between threads.

    A prompt of 2,000 characters takes 10 to 20 microseconds, one of 200,000 about 3 milliseconds, the most hostile one of
    that length that is known 0.2 seconds (one core of a shared Intel Xeon).

    Args:
        patterns: regular expressions by name. Python's own engine runs them and cannot be interrupted, so
            those that could take long are refused (see `config.patterns`).
        max_characters: of a request that are looked at, from its beginning.

    Raises:
        ConfigurationError: a pattern is refused; the message names it and says why.
    """

    def __init__(self, patterns: Mapping[str, str] | None = None, max_characters: int = MAX_SCAN_CHARACTERS) -> None:
        self._own: list[tuple[str, re.Pattern[str]]] = []
        for name, pattern in (patterns or {}).items():
            if name in KINDS:
                raise ConfigurationError(f"pattern {name!r} has the name of a known kind; take another")
            try:
                self._own.append((name, bounded_pattern(pattern)))
            except ConfigurationError as error:
                raise ConfigurationError(f"pattern {name!r}: {error}") from None
        self._max_characters = max_characters

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind that can be found, patterns of one's own at the end."""
        return (*KINDS, *(name for name, _ in self._own))

    def scan(self, text: str) -> tuple[str, ...]:
        """The kinds of secrets in a text, in the order of `kinds`. Never raises, whatever the text."""
        if len(text) > self._max_characters:
            text = text[: self._max_characters]
        raw = text.encode("utf-8", "replace")
        places, long_number = kernel.native.sift_secrets(raw, *_SIEVES) if kernel.COMPILED else _sift(raw)
        found = _kinds_at(places, raw) if places else set()
        if long_number:
            found |= _numbers(raw)
        kinds = [kind for kind in KINDS if kind in found] if found else []
        kinds += [name for name, pattern in self._own if pattern.search(text)]
        return tuple(kinds)

    def scan_request(self, request: Request) -> tuple[str, ...]:
        """The kinds of secrets in all messages of a request, calls of tools included: all of it would be sent."""
        if len(request.messages) == 1 and not request.messages[0].tool_calls:
            return self.scan(request.messages[0].content)
        return self.scan("\n".join(_texts(request)))


def _texts(request: Request) -> Iterator[str]:
    for message in request.messages:
        yield message.content
        for call in message.tool_calls:
            yield call.arguments


def _sift(raw: bytes) -> tuple[list[int], bool]:
    """Places where a marker may stand, and whether there is a number as long as those of cards and accounts."""
    places = [place for first in range(0, len(raw) - 3, _BLOCK) for place in _places(raw, first)]
    digits = raw.translate(_DIGITS)
    return places, _TEN_DIGITS in digits or _BY_FOUR in digits or _BY_SIX in digits


def _kinds_at(places: Iterable[int], raw: bytes) -> set[str]:
    """Kinds whose pattern matches where one of its markers stands."""
    found: set[str] = set()
    for place in places:
        for entry in _AT.get(raw[place : place + 4].lower(), ()):
            start = place - entry.offset
            if entry.kind in found or start < 0:
                continue
            match = entry.pattern.match(raw, start)
            if match is not None and (entry.accepts is None or entry.accepts(match)):
                found.add(entry.kind)
    return found


def _places(raw: bytes, first: int) -> list[int]:
    """Places in the block from there on where a marker may stand."""
    # Each window begins one byte after the one before.
    windows = np.ndarray((min(_BLOCK, len(raw) - 3 - first),), "<u4", raw, first, (1,)) | _FOLD
    hashes = windows * _KNUTH
    hashes >>= _SHIFT
    places = _TABLE.take(hashes).nonzero()[0]
    # One window in 200 is taken for a marker by chance; the second table takes nearly all of these out.
    places = places[_SECOND_TABLE.take((windows.take(places) * _FIBONACCI) >> _SHIFT)]
    found: list[int] = (places + first).tolist() if first else places.tolist()
    return found


def _numbers(raw: bytes) -> set[str]:
    """Card numbers and IBANs whose check digits are right."""
    found: set[str] = set()
    for run in _LONG_NUMBER.finditer(raw.translate(_DIGITS)):
        start, end = run.span()
        if CARD not in found and any(_is_card(match[0]) for match in _CARD.finditer(raw, start, end + 2)):
            found.add(CARD)
        # Letters stand before the digits, and in some countries between them.
        near = max(0, start - 10), end + 24
        if IBAN not in found and any(_is_iban(match[0]) for match in _IBAN.finditer(raw, *near)):
            found.add(IBAN)
    return found


def _is_card(written: bytes) -> bool:
    """Luhn's check, ISO/IEC 7812-1 annex B; numbers published for tests and of one digit are none."""
    number = written.replace(b" ", b"").replace(b"-", b"")
    if number in _TEST_CARDS or len(set(number[4:])) == 1:
        return False
    digits = [byte - 48 for byte in reversed(number)]
    return (sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])) % 10 == 0


def _is_iban(written: bytes) -> bool:
    """The check of ISO 13616: moved and spelled in digits, the remainder by 97 is 1."""
    number = written.replace(b" ", b"").decode()
    if not 15 <= len(number) <= 34 or number.encode() in _TEST_IBANS:
        return False
    return int("".join(str(int(letter, 36)) for letter in number[4:] + number[:4])) % 97 == 1
