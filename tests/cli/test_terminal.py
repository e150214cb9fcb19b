"""Text for a terminal: what could change what it shows becomes visible, what a person reads stays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from turnout.cli.terminal import printable


def test_escape_sequences_are_shown_and_not_obeyed() -> None:
    assert printable("\x1b]52;c;aGk=\x07") == "␛]52;c;aGk=␇"
    assert printable("\x9b31m") == "\ufffd31m"


def test_lines_and_tabs_stay_and_carriage_returns_go() -> None:
    assert printable("a\tb\r\nc é 🐛") == "a\tb\nc é 🐛"


@given(st.text())
def test_nothing_is_left_that_a_terminal_would_obey(text: str) -> None:
    left = {letter for letter in printable(text) if ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0}
    assert left <= {"\n", "\t"}
