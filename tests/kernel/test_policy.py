"""What rules ask of a text: compiled, the same words are known and the same places may hold a secret."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from tests.kernel.both import TEXTS, both, compiled_only

from turnout import kernel
from turnout.config.expression_variables import KEYWORDS, LANGUAGES
from turnout.policy.mentions import HEAD_CHARS, known_words
from turnout.policy.privacy import _SIEVES, SecretScanner, _sift
from turnout.policy.privacy_patterns import PATTERNS

pytestmark = compiled_only

FORMS = " ".join((*KEYWORDS.values(), *LANGUAGES.values())).split()
MARKERS = sorted({marker for pattern in PATTERNS for marker in pattern.markers})

MENTIONS = st.lists(
    st.sampled_from(FORMS) | st.sampled_from([*" .,_-+#/", "\n", "s", "é", "X"]) | st.sampled_from(FORMS).map(str.upper)
).map("".join)
DIGITS = st.lists(st.sampled_from(["0", "12", "4539", "148803", "1234567890", " ", "-", "  ", ".", "é", "_"])).map(
    "".join
)
MARKED = st.lists(st.sampled_from(MARKERS) | st.sampled_from(MARKERS).map(str.upper) | TEXTS, max_size=8).map("".join)


@given(TEXTS | MENTIONS)
@example("c++ C# c sql " + "x" * HEAD_CHARS + " security_review security-review fixed")
@example(" ".join(FORMS))
def test_the_same_words_are_known(prompt: str) -> None:
    compiled, defined = both(known_words, prompt)
    assert compiled == defined


@given(TEXTS | DIGITS | MARKED | st.binary().map(lambda raw: raw.decode("latin-1")))
@example("1234 1234 12")
@example("1234-123456")
@example("12345 1234 12")
@example("1234 12345 12")
@example("1234  123456")
@example("x" * 40_000 + "ghp_" + "x" * 40_000)
def test_the_same_places_may_hold_a_secret(text: str) -> None:
    raw = text.encode("utf-8", "replace")
    assert kernel.native.sift_secrets(raw, *_SIEVES) == _sift(raw)


@given(TEXTS | DIGITS | MARKED)
def test_the_same_secrets_are_found(text: str) -> None:
    compiled, defined = both(SecretScanner({"number": "[0-9]{6}"}).scan, text)
    assert compiled == defined


def test_every_marker_passes_both_sieves() -> None:
    for marker in MARKERS:
        for written in (marker, marker.upper()):
            assert kernel.native.sift_secrets(written.encode(), *_SIEVES)[0] == [0], written
