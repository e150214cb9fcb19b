"""What the dashboard tells of champion, challenger and drift, in a real browser before a real gateway."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.browser import FAST, STRONG, Page, Yard, browsing, providing
from tests.gateway.learned import (
    CHALLENGER,
    CHAMPION,
    CHECKED_AT,
    SINCE,
    miscalibrated,
    note_drift,
    put_challenger,
    put_champion,
    put_predictors,
    slower,
)

from turnout.files import write_aside
from turnout.learning.drift import Alarm
from turnout.predictor import Predictor
from turnout.predictor.fit import Fitted

AUDIT = (Path(__file__).parent / "audit.js").read_text(encoding="utf-8")
HOSTILE = "<img src=x onerror=\"document.title='hit'\"><b>bold</b>"
CANDIDATES = (FAST, STRONG)
QUIET = "performance: {health: {interval_s: 3600, max_age_s: 7200}, cache: {exact: {enabled: false}}}"
SHADOW, CANARY = (
    f"{QUIET}\nhybrid: {{exploration: {{enabled: false}}, challenger: {mode}}}"
    for mode in ("shadow", "canary, canary_share: 1")
)
FACTS = """
const facts = {};
const [panel, heading] = arguments;
let above = "";
for (const node of document.querySelectorAll(`${panel} h4, ${panel} .facts > div`)) {
  if (node.tagName === "H4") above = node.textContent;
  else if (above === heading) facts[node.querySelector("dt").textContent] = node.querySelector("dd").textContent;
}
return facts;
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browsing(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def page(browser: Page) -> Page:
    browser.size(1280)
    browser.prefers(prefers_color_scheme="light")
    return browser


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """Providers, and the folders of a gateway that learned nothing yet."""
    with providing(tmp_path) as made:
        yield made


@pytest.fixture
def predictor(small_fitted: Fitted) -> Predictor:
    return small_fitted.predictor


def facts(page: Page, panel: str, heading: str = "") -> dict[str, str]:
    """What a panel tells under one of its headings."""
    found: dict[str, str] = page.run(FACTS, panel, heading)
    return {term: told.replace("\u00a0", " ") for term, told in found.items()}


def comes_to(page: Page, panel: str, heading: str, **wanted: str) -> None:
    """Wait until a panel tells this; underscores in terms stand for spaces."""
    expected = {term.replace("_", " "): told for term, told in wanted.items()}
    page.until(lambda: expected.items() <= facts(page, panel, heading).items())


def challenger_of(yard: Yard) -> Any:
    return yard.ask("/turnout/status")["challenger"]


def moment(at: datetime) -> str:
    return f"{at.day} {at:%b %Y %H:%M:%S}"


def audit(page: Page, check: str) -> Any:
    """What a function of audit.js finds in the page."""
    return page.run(f"{AUDIT}; return {check}()")


def test_a_challenger_in_the_shadow_is_shown_with_how_often_it_chose_the_same(
    yard: Yard, page: Page, predictor: Predictor
) -> None:
    put_predictors(yard.folder, predictor, CANDIDATES)
    with yard.gateway(settings=SHADOW):
        page.open(yard.url)
        comes_to(page, "#predictor", "Challenger", Chose_the_same="nothing compared in the last hour")
        for number in range(4):
            yard.chat(f"write {number + 3} words about caching")
        page.until(lambda: challenger_of(yard)["compared"] == 4)
        share = challenger_of(yard)["agreement_share"]
        comes_to(
            page,
            "#predictor",
            "Challenger",
            Chose_the_same=f"{share:.0%} of 4 requests in the last hour".replace("%", " %"),
        )
        champion, challenger = (facts(page, "#predictor", name) for name in ("Champion", "Challenger"))
    assert champion["Version"] == CHAMPION and challenger["Version"] == CHALLENGER
    assert champion["Trained at"] == moment(datetime.fromisoformat(CHAMPION))
    assert challenger["Trained at"] == moment(datetime.fromisoformat(CHALLENGER))
    assert champion["Candidates"] == f"{FAST}, {STRONG}, cloud/huge"
    assert challenger["Candidates"] == f"cloud/huge, {STRONG}, {FAST}"
    assert champion["Explored"] == "0 requests of 4 in the last hour"
    assert challenger["Mode"] == "in the shadow: compared, decides nothing"
    assert "Decided" not in challenger and challenger["Here since"]


def test_a_challenger_in_the_canary_is_shown_with_how_many_requests_it_decided(
    yard: Yard, page: Page, predictor: Predictor
) -> None:
    put_predictors(yard.folder, predictor, CANDIDATES)
    with yard.gateway(settings=CANARY):
        page.open(yard.url)
        comes_to(page, "#predictor", "Challenger", Decided="0 requests")
        for number in range(2):
            yard.chat(f"write {number + 3} words about caching")
        comes_to(page, "#predictor", "Challenger", Decided="2 requests")
        told = facts(page, "#predictor", "Challenger")
    assert told["Mode"] == "canary: decides a share of requests" and "Chose the same" not in told


def test_a_champion_and_a_challenger_are_shown_as_they_come_and_go(
    yard: Yard, page: Page, predictor: Predictor
) -> None:
    with yard.gateway(settings=SHADOW):
        page.open(yard.url)
        page.shows("#predictor", "Nothing was learned yet")
        page.shows("#predictor", "no challenger")
        put_champion(yard.folder, predictor, CANDIDATES)
        comes_to(page, "#predictor", "Champion", Version=CHAMPION)
        put_challenger(yard.folder, predictor, CANDIDATES)
        comes_to(page, "#predictor", "Challenger", Version=CHALLENGER)
        shutil.rmtree(yard.folder / "models" / "challenger")
        page.shows("#predictor", "no challenger")
        assert facts(page, "#predictor", "Champion")["Version"] == CHAMPION


@pytest.mark.parametrize("name", ["champion", "challenger"])
def test_a_newer_one_that_cannot_be_served_is_told_beside_the_one_that_is(
    yard: Yard, page: Page, predictor: Predictor, name: str
) -> None:
    put_predictors(yard.folder, predictor, CANDIDATES)
    with yard.gateway(settings=SHADOW):
        page.open(yard.url)
        comes_to(page, "#predictor", "Challenger", Version=CHALLENGER)
        assert not page.all("#predictor .error")
        write_aside(yard.folder / "models" / name / "manifest.json", b'{"format": 1}')
        page.shows("#predictor .error", "A newer one cannot be served: ")
        under = page.run("return arguments[0].previousElementSibling.textContent", page.find("#predictor .error"))
        assert (CHAMPION if name == "champion" else CHALLENGER) in under
        assert len(page.all("#predictor .error")) == 1


def test_what_has_drifted_is_listed_with_whom_it_is_about_and_since_when(
    yard: Yard, page: Page, predictor: Predictor
) -> None:
    put_champion(yard.folder, predictor, CANDIDATES)
    failing = Alarm(kind="success", candidate=STRONG, since=SINCE, text="it fails more often")
    note_drift(yard.folder, slower(FAST), miscalibrated(), failing)
    since, looked_at = (moment(datetime.fromtimestamp(at)) for at in (SINCE, CHECKED_AT))
    with yard.gateway(settings=SHADOW):
        page.open(yard.url)
        comes_to(page, "#drift", "", State="3 alarms", Watched="1,234 decisions", Looked_at=looked_at)
        told = [" ".join(each.text.split()) for each in page.all("#drift li")]
        named = [each.text for each in page.all("#drift li .candidate")]
    assert told == [
        f"speed {slower(FAST).text} since {since}",
        f"calibration {miscalibrated().text} since {since}",
        f"success {STRONG}: it fails more often since {since}",
    ]
    assert named == [FAST, STRONG] and told[0].count(FAST) == 1


def test_drift_is_told_at_the_top_with_a_way_there_and_no_longer_when_it_is_over(yard: Yard, page: Page) -> None:
    with yard.gateway(settings=SHADOW):
        page.open(yard.url)
        page.shows("#drift", "Nobody has looked yet whether things are still as they were learned.")
        assert not page.text("#warnings")
        note_drift(yard.folder, miscalibrated())
        page.shows("#warnings", "1 thing changed since the predictor learned: see Drift.")
        assert page.find("#warnings").aria_role == "status"
        way = page.find("#warnings a")
        assert (way.aria_role, way.accessible_name) == ("link", "Drift")
        page.click("#warnings a")
        page.until(lambda: page.run("return document.activeElement.id") == "state")
        note_drift(yard.folder)
        comes_to(page, "#drift", "", State="as learned")
        assert not page.text("#warnings") and not page.all("#drift li")
        (yard.folder / "state" / "drift.json").unlink()
        page.shows("#drift", "Nobody has looked yet")


def test_whoever_hears_what_was_learned_finds_headings_lists_and_terms(
    yard: Yard, page: Page, predictor: Predictor
) -> None:
    put_predictors(yard.folder, predictor, CANDIDATES)
    note_drift(yard.folder, slower(STRONG))
    with yard.gateway(settings=SHADOW):
        page.open(yard.url)
        comes_to(page, "#predictor", "Challenger", Version=CHALLENGER)
        page.shows("#drift", "is slower than expected")
        region = page.find("#state")
        assert (region.aria_role, region.accessible_name) == ("region", "State")
        headings = [(each.aria_role, each.accessible_name) for each in page.all("#state .panel > h3, #predictor h4")]
        assert headings[:4] == [
            ("heading", name) for name in ("Champion and challenger", "Champion", "Challenger", "Drift")
        ]
        assert page.find("#drift ul").aria_role == "list" and page.find("#drift li").aria_role == "listitem"
        assert {each.aria_role for each in page.all("#predictor dt, #drift dt")} == {"term"}
        page.find("#prompt").send_keys("why does our lock deadlock?")
        page.click("#explain")
        page.find("#explained-title")
        assert audit(page, "problems") == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_letters_of_alarms_and_problems_stand_out(yard: Yard, page: Page, predictor: Predictor, theme: str) -> None:
    put_predictors(yard.folder, predictor, CANDIDATES)
    note_drift(yard.folder, slower(FAST), miscalibrated())
    with yard.gateway(settings=SHADOW):
        page.prefers(prefers_color_scheme=theme)
        page.open(yard.url)
        comes_to(page, "#predictor", "Challenger", Version=CHALLENGER)
        write_aside(yard.folder / "models" / "challenger" / "manifest.json", b'{"format": 1}')
        page.shows("#predictor .error", "A newer one cannot be served")
        page.shows("#drift", "calibration")
        assert audit(page, "faint") == []


@pytest.mark.parametrize("width", [360, 1280])
def test_long_names_and_alarms_stay_inside_and_markup_is_shown_as_text(
    yard: Yard, page: Page, predictor: Predictor, width: int
) -> None:
    put_predictors(yard.folder, predictor, ("lmstudio/" + "long-name-" * 9, HOSTILE))
    endless = Alarm(kind="success", candidate=HOSTILE, since=SINCE, text=f"{HOSTILE} {'x' * 300}")
    note_drift(yard.folder, slower("ollama/" + "long-name-" * 9), endless)
    page.size(width)
    with yard.gateway(settings=SHADOW):
        page.open(yard.url)
        page.shows("#predictor", HOSTILE)
        page.shows("#drift", f"{HOSTILE} xxx")
        assert audit(page, "outside") == []
        assert page.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert page.run("return document.querySelectorAll('#state img, #state b').length") == 0
        assert page.chrome.title == "Turnout"
