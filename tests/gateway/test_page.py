"""The dashboard in a real browser: what it shows, what it does, and for whom."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from tests.gateway.browser import FAST, STRONG, Page, Yard, browsing, providing

from turnout.gateway.keys import new_key, write_keys

HOSTILE = "<img src=x onerror=\"document.title='hit'\"><b>bold</b>"
SHORT = "write 30 words about caching"
LONG = "write 900 words about queues"

AUDIT = (Path(__file__).parent / "audit.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browsing(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture(scope="module")
def providers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    with providing(tmp_path_factory.mktemp("page")) as yard:
        yield yard


@pytest.fixture(scope="module")
def served(providers: Yard) -> Iterator[Yard]:
    with providers.gateway():
        yield providers


@pytest.fixture
def yard(served: Yard) -> Yard:
    served.heal()
    return served


@pytest.fixture
def page(browser: Page) -> Page:
    browser.size(1280)
    browser.prefers(prefers_color_scheme="light")
    return browser


def row(prompt: str, at: float, **fields: Any) -> dict[str, Any]:
    """A request as the gateway tells of it."""
    base = {"seconds": 0.4, "error": "", "message": "", "feedback": "", "own": True, "tried": [], "candidate": FAST}
    told = {"reason": "it is fast", "confidence": 0.8, "cached": "", "escalated": False, "fell_back": False}
    return {"id": f"id-{prompt[:20]}-{at}", "prompt": prompt, "at": at, **base, **told, **fields}


def audit(page: Page, check: str, *arguments: Any) -> Any:
    """What a function of audit.js finds in the page."""
    return page.run(f"{AUDIT}; return {check}(...arguments)", *arguments)


def complaints(page: Page) -> list[str]:
    return [entry["message"] for entry in page.logs("browser") if entry["level"] in ("SEVERE", "WARNING")]


def test_the_page_loads_without_an_error_and_asks_nobody_else(yard: Yard, page: Page) -> None:
    page.open(yard.url)
    page.shows("#candidates-table", STRONG)
    page.shows("#predictor", "no challenger")
    assert page.chrome.title == "Turnout" and not complaints(page)
    origins = {address for address in page.requested() if not address.startswith((f"{yard.url}/", "data:"))}
    assert not origins


def test_before_the_first_request_it_says_what_to_do(page: Page, tmp_path: Path) -> None:
    with providing(tmp_path) as fresh, fresh.gateway():
        page.open(fresh.url)
        page.shows("#decisions-table", f"No request yet: point a client at {fresh.url}/v1")
        page.shows("#share-chart", "Nothing was answered")
        page.shows("#quality-chart", "No candidate answered")


def test_a_request_through_the_gateway_appears_and_opens_by_keyboard(yard: Yard, page: Page) -> None:
    page.open(yard.url)
    told = yard.chat("name three colours of the rainbow")["turnout"]
    page.shows("#decisions-table", "name three colours of the rainbow")
    body = f"[data-decision='{told['decision']}']"
    assert told["candidate"] in page.text(body)
    toggle = page.find(f"{body} .toggle")
    page.run("arguments[0].focus()", toggle)
    ActionChains(page.chrome).send_keys(Keys.ENTER).perform()
    page.shows(f"{body} .more", told["decision"])
    shown = page.text(f"{body} .more")
    assert toggle.get_attribute("aria-expanded") == "true"
    assert all(word in shown for word in ("Task", "Rules", "Tokens", "first choice", "Who was asked"))
    ActionChains(page.chrome).send_keys(Keys.ENTER).perform()
    page.until(lambda: not page.text(f"{body} .more"))


def test_feedback_reaches_the_figures_of_the_gateway(yard: Yard, page: Page) -> None:
    page.open(yard.url)
    told = yard.chat("feedback is welcome here")["turnout"]
    before = yard.ask("/turnout/status")["metrics"]["total"]["feedback"].get("bad", 0)
    button = f"[data-decision='{told['decision']}'] .thumb.bad"
    page.click(button)
    page.until(lambda: page.find(button).get_attribute("aria-pressed") == "true")
    page.until(lambda: yard.ask("/turnout/status")["metrics"]["total"]["feedback"].get("bad", 0) == before + 1)
    (row,) = [one for one in yard.ask("/turnout/decisions?limit=500")["decisions"] if one["id"] == told["decision"]]
    assert row["feedback"] == "bad"
    page.shows("#feedback-said", "Noted")


def test_feedback_on_an_answer_that_nobody_knows_is_told(yard: Yard, page: Page) -> None:
    page.open(yard.url)
    page.tell("decisions.js", "takeDecisions", [row("never asked", 4e9)])
    page.click("[data-decision^='id-never asked'] .thumb.good")
    page.shows("[data-decision^='id-never asked']", "no answer has the id")


def test_explain_shows_who_would_be_asked_and_asks_nobody(yard: Yard, page: Page) -> None:
    page.open(yard.url)
    page.find("#prompt").send_keys("why does our lock deadlock under failover?")
    before = yard.ask("/turnout/status")["metrics"]["total"]["requests"]
    page.click("#explain")
    page.shows("#try-explained", "would be asked")
    shown = page.text("#try-explained")
    assert FAST in shown and STRONG in shown
    assert all(word in shown for word in ("Success", "Expected", "Utility", "What pushed it", "What would flip it"))
    assert yard.ask("/turnout/status")["metrics"]["total"]["requests"] == before


def test_a_decision_with_a_predictor_is_explained_to_the_last_part(yard: Yard, page: Page) -> None:
    """What pushed and what would flip it needs a champion, so a whole explanation is handed to the page."""
    page.open(yard.url)
    told = yard.ask("/turnout/route", {"prompt": SHORT})
    parts = [{"label": "words of code", "points": 12.25, "level": "high"}]
    pushes = {"candidate": told["candidate"], "over": None, "base_points": 61.0, "parts": parts, "score_points": 73.0}
    pushes |= {"calibration_points": -1.5, "success_points": 72.0}
    told["explanation"] |= {"pushes": [pushes], "over_next": {**pushes, "over": STRONG}}
    told["explanation"] |= {"flips": [{"candidate": STRONG, "rate": 0.0123, "preference": "quality"}]}
    told["explanation"] |= {"excluded": [{"candidate": "cloud/big", "reason": "a rule forbids it", "rule": "r"}]}
    shown = audit(page, "explain", told)
    wanted = (
        "words of code (high)",
        "+12.3",
        "−1.5",
        f"Points over {STRONG}",
        "at an exchange rate of 0.012",
        "a rule forbids it",
    )
    assert all(text in shown for text in wanted), shown


def test_asking_streams_and_tells_who_answered_and_why(yard: Yard, page: Page) -> None:
    page.open(yard.url)
    page.find("#prompt").send_keys(SHORT, Keys.CONTROL, Keys.ENTER)
    page.shows("#answer-state", "Done in")
    assert FAST in page.text("#answer-who") and "because" in page.text("#answer-who")
    assert len(page.text("#answer-text")) > 40 and "confidence" in page.text("#answer-state")
    page.click("#answer-feedback .thumb.good")
    page.until(lambda: page.find("#answer-feedback .thumb.good").get_attribute("aria-pressed") == "true")


def test_a_stream_is_read_along_and_stopped(yard: Yard, page: Page) -> None:
    page.open(yard.url)
    yard.slow()
    page.find("#prompt").send_keys(LONG)
    page.find("#ask").send_keys(Keys.ENTER)
    page.until(lambda: len(page.text("#answer-text")) > 20)
    assert page.find("#answer-text").get_attribute("aria-busy") == "true"
    page.click("#stop")
    page.shows("#answer-state", "Stopped")
    page.until(lambda: yard.generating == 0)
    assert not page.find("#stop").is_displayed() and not page.text("#try-error")


def test_an_answer_that_fails_is_told(yard: Yard, page: Page) -> None:
    page.open(yard.url)
    yard.fails("error_500")
    page.find("#prompt").send_keys("does this fail?")
    page.click("#ask")
    page.until(lambda: page.find("#try-error").is_displayed())
    assert page.text("#try-error")


def test_an_answer_that_breaks_off_is_not_shown_as_whole(yard: Yard, page: Page) -> None:
    page.open(yard.url)
    yard.fails("reset_mid_stream", after=6)
    page.find("#prompt").send_keys("does this break off in the middle?")
    page.click("#ask")
    page.until(lambda: page.find("#try-error").is_displayed())
    assert "Done" not in page.text("#answer-state")


def test_a_prompt_is_needed(yard: Yard, page: Page) -> None:
    page.open(yard.url)
    page.click("#ask")
    page.shows("#try-error", "Write a prompt first")
    assert page.run("return document.activeElement.id") == "prompt"


def test_markup_is_shown_as_text_wherever_it_comes_from(yard: Yard, page: Page) -> None:
    page.open(yard.url)
    page.find("#prompt").send_keys(HOSTILE)
    page.click("#ask")
    page.shows("#answer-state", "Done in")
    page.shows("#decisions-table", HOSTILE)
    told = yard.ask("/turnout/status")
    hour = {"candidates": {HOSTILE: next(iter(told["metrics"]["hour"]["candidates"].values()))}}
    slice_ = {"at": 3540, "requests": 2, "answered": 2, "escalated": 1, "candidates": {HOSTILE: 2}}
    page.tell("charts.js", "takeHour", hour)
    page.tell("charts.js", "takeTimeline", {"now": 3600, "timeline": [slice_]})
    everywhere = dict.fromkeys(("candidate", "reason", "feedback", "voice", "message", "error", "decided_for"), HOSTILE)
    page.tell("decisions.js", "takeDecisions", [row(HOSTILE, 4e9, **everywhere, rules=[HOSTILE])])
    audit(page, "unfold")
    page.shows(".more", HOSTILE)
    assert page.chrome.title == "Turnout"
    assert page.run("return document.querySelectorAll('main img, main b, main script').length") == 0


def test_everything_is_reached_by_keyboard_and_the_focus_is_seen(yard: Yard, page: Page) -> None:
    yard.chat("something to show")
    page.open(yard.url)
    page.find(".toggle")
    page.click("#hold")
    page.run("document.activeElement.blur(); getSelection().removeAllRanges(); scrollTo(0, 0)")
    wanted, seen = audit(page, "reachable"), set()
    page.run("document.body.tabIndex = -1; document.body.focus()")
    for _ in range(wanted + 3):
        ActionChains(page.chrome).send_keys(Keys.TAB).perform()
        focused = page.chrome.switch_to.active_element
        if focused.tag_name == "body":
            break
        seen.add(focused.id)
        outline = page.run("const s = getComputedStyle(arguments[0]); return s.outlineStyle + s.outlineWidth", focused)
        assert outline == "solid3px", (focused.get_attribute("outerHTML")[:200], outline)
    assert len(seen) >= wanted


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_letters_stand_out_in_both_themes(yard: Yard, page: Page, theme: str) -> None:
    page.prefers(prefers_color_scheme=theme)
    page.open(yard.url)
    marks = {"escalated": True, "fell_back": True, "cached": "exact"}
    rows = [row("a", 4e9, **marks, feedback="good"), row("b", 4e9, error="no_answer"), row("c", 4e9, feedback="bad")]
    page.tell("decisions.js", "takeDecisions", rows)
    page.find("#prompt").send_keys(SHORT)
    page.click("#explain")
    page.find("#explained-title")
    page.run("document.querySelector('.toggle').click()")
    faint = audit(page, "faint")
    assert not faint, faint
    light = page.run("return getComputedStyle(document.body).backgroundColor")
    assert light == ("rgb(244, 246, 248)" if theme == "light" else "rgb(16, 20, 26)")


def test_the_chosen_theme_is_remembered(yard: Yard, page: Page) -> None:
    page.open(yard.url)
    Select(page.find("#theme")).select_by_value("dark")
    colour = "return getComputedStyle(document.body).backgroundColor"
    page.until(lambda: page.run(colour) == "rgb(16, 20, 26)")
    page.chrome.refresh()
    assert page.run(colour) == "rgb(16, 20, 26)"
    page.until(lambda: page.find("#theme").get_attribute("value") == "dark")


@pytest.mark.parametrize("width", [360, 800, 1280, 1450, 1600])
def test_nothing_scrolls_sideways(yard: Yard, page: Page, width: int) -> None:
    page.size(width)
    page.open(yard.url)
    page.tell("decisions.js", "takeDecisions", [row("x" * 290, 4e9, candidate="lmstudio/" + "long-name-" * 9)])
    audit(page, "unfold")
    page.find("#prompt").send_keys(SHORT)
    page.click("#explain")
    page.find("#explained-title")
    # Drawings take the width of the page a moment after it.
    page.until(lambda: page.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth"))
    assert audit(page, "outside") == []
    narrowest = "return Math.min(...[...document.querySelectorAll('.decisions td.prompt')].map((it) => it.clientWidth))"
    assert page.run(narrowest) >= 120


@pytest.mark.parametrize("width", [360, 1280])
def test_whoever_hears_the_page_finds_names_headings_and_tables(yard: Yard, page: Page, width: int) -> None:
    yard.chat("something to hear")
    page.size(width)
    page.open(yard.url)
    page.find("#prompt").send_keys(SHORT)
    page.click("#explain")
    page.find("#explained-title")
    audit(page, "unfold")
    page.find("#share-table table")
    assert audit(page, "problems") == []


def test_charts_have_axes_units_and_a_description(yard: Yard, page: Page) -> None:
    yard.chat("something to draw")
    page.open(yard.url)
    for name, unit in (("share", "share of answers"), ("requests", "requests in 2 minutes"), ("quality", "quality")):
        image = page.find(f"#{name}-chart svg[role=img]")
        assert len(image.get_attribute("aria-label") or "") > 40
        assert unit in page.text(f"#{name}-chart svg") and page.all(f"#{name}-chart .tick")


def test_a_lost_connection_is_told_and_found_again(page: Page, tmp_path: Path) -> None:
    with providing(tmp_path) as other:
        with other.gateway():
            page.open(other.url)
            page.find(".first-steps")
        page.until(lambda: page.find("#trouble").is_displayed())
        page.shows("#trouble-text", "Connection lost")
        assert page.text("#connection") == "Connection lost"
        with other.gateway():
            page.shows("#connection", "Live")
            other.chat("are you back?")
            page.shows("#decisions-table", "are you back?")
            assert not page.find("#trouble").is_displayed()


def test_a_key_is_asked_for_kept_for_the_tab_and_forgotten(page: Page, tmp_path: Path) -> None:
    key, entry = new_key("you")
    other_key, other = new_key("them")
    write_keys(tmp_path / "keys.json", (entry, other))
    with providing(tmp_path) as yard, yard.gateway(json.dumps({"keys_file": str(tmp_path / "keys.json")})):
        yard.ask(
            "/v1/chat/completions",
            {"model": "auto", "messages": [{"role": "user", "content": "secret plans"}]},
            other_key,
        )
        page.load(yard.url)
        page.until(lambda: page.find("#key-dialog").is_displayed())
        page.find("#key").send_keys("tk-wrong", Keys.ENTER)
        page.shows("#key-error", "unknown")
        page.until(lambda: page.find("#key-dialog").is_displayed())
        page.find("#key").send_keys(key, Keys.ENTER)
        page.shows("#connection", "Live")
        assert page.run("return sessionStorage.getItem('turnout.key')") == key
        assert page.run("return localStorage.length") == 0
        page.shows("#decisions-table", "of another key")
        assert "secret plans" not in page.text("body") and not page.all(".decisions .thumb")
        page.find("#prompt").send_keys(SHORT)
        page.click("#ask")
        page.shows("#answer-state", "Done in")
        page.click("#forget-key")
        page.until(lambda: page.find("#key-dialog").is_displayed())
        assert page.run("return sessionStorage.length") == 0


def test_feedback_on_another_keys_answer_is_refused(tmp_path: Path) -> None:
    key, entry = new_key("you")
    other_key, other = new_key("them")
    write_keys(tmp_path / "keys.json", (entry, other))
    with providing(tmp_path) as yard, yard.gateway(json.dumps({"keys_file": str(tmp_path / "keys.json")})):
        asked = {"model": "auto", "messages": [{"role": "user", "content": SHORT}]}
        decision = yard.ask("/v1/chat/completions", asked, other_key)["turnout"]["decision"]
        assert yard.refusal("/turnout/feedback", {"decision": decision, "kind": "bad"}, key) == 403
        assert yard.ask("/turnout/feedback", {"decision": decision, "kind": "bad"}, other_key)["kind"] == "bad"


def test_nothing_is_asked_while_nobody_looks(yard: Yard, page: Page) -> None:
    page.open(yard.url)
    audit(page, "hide", True)
    page.shows("#connection", "Paused")
    page.run("return new Promise((done) => { setTimeout(done, 500) })")  # what was under way ends
    page.requested()
    page.run("return new Promise((done) => { setTimeout(done, 5000) })")
    assert page.requested() == []
    audit(page, "hide", False)
    page.shows("#connection", "Live")


def test_what_is_kept_does_not_grow(yard: Yard, page: Page) -> None:
    page.open(yard.url)
    Select(page.find("#shown")).select_by_visible_text("200")
    for first in range(0, 1000, 100):
        page.tell(
            "decisions.js", "takeDecisions", [row(f"{number}", 3e9 + number) for number in range(first, first + 100)]
        )
    assert page.run("return document.querySelectorAll('.decisions tbody').length") == 200
    page.shows(".decisions tbody", "999")


def test_a_table_that_is_held_still_takes_in_nothing(yard: Yard, page: Page) -> None:
    page.open(yard.url)
    yard.chat("the last one before")
    page.shows("#decisions-table", "the last one before")
    page.click("#hold")
    page.tell("decisions.js", "takeDecisions", [row("one that came later", 4e9)])
    assert "one that came later" not in page.text("#decisions-table")
    page.click("#hold")
    page.shows("#decisions-table", "one that came later")


def test_the_files_are_sent_once_under_a_strict_policy(yard: Yard) -> None:
    for path, kind in (
        ("/", "text/html"),
        ("/page/page.js", "text/javascript"),
        ("/page/page.css", "text/css"),
        ("/favicon.ico", "image/svg+xml"),
    ):
        with urllib.request.urlopen(f"{yard.url}{path}", timeout=30) as response:
            assert response.headers["Content-Type"] == f"{kind}; charset=utf-8"
            assert response.headers["Content-Security-Policy"].startswith("default-src 'self';")
            assert response.headers["Cache-Control"] == "no-cache"
            etag = response.headers["ETag"]
        assert yard.refusal(path, **{"If-None-Match": etag}) == 304
    for path in ("/page/nothing.js", "/page/..%2fapp.py", "/page/%2e%2e/own.py"):
        assert yard.refusal(path) == 404


def test_a_page_that_is_switched_off_is_not_there(tmp_path: Path) -> None:
    with providing(tmp_path) as yard, yard.gateway("{dashboard: false}"):
        assert yard.ask("/healthz") == {"status": "ok"}
        for path in ("/", "/page/page.js", "/favicon.ico"):
            assert yard.refusal(path) == 404
