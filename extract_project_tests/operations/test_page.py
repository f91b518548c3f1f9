"""The page in a real browser, opened as a file: what a person on call finds, in both themes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from extract_project.operations.page import page
from extract_project.outcome import Outcome
from extract_project.status.facts import Attempt, ExtractFacts
from extract_project_tests.support.mornings import (
    MALICE,
    MANIFEST,
    NOW,
    OTHER_MANIFEST,
    OTHER_URL,
    URL,
    ago,
    extract,
    morning_part,
    other_part,
)


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    file = tmp_path / "operations.html"
    file.write_bytes(page([morning_part()]))
    tab = browser.new_page(viewport={"width": 1400, "height": 900}, timezone_id="Asia/Tokyo")
    tab.goto(file.as_uri())
    yield tab
    tab.close()


def test_what_is_wrong_stands_on_top_worst_first(opened: Page) -> None:
    names = opened.locator(".troubles li > a").all_inner_texts()
    assert names == [
        *("sales/renamed", "sales/by_day", "ops/typo", "finance/revenue", "ops/missed"),
        *("sales/summary", "sales/held"),
    ]
    first = opened.locator(".troubles li").first
    expect(first).to_contain_text("sales/renamed.sql:3:8: column amount does not exist")
    expect(first).to_contain_text("next: extract failed sales/renamed")
    expect(first.locator("a")).to_have_attribute("href", f"{URL}/assets/sales/renamed")
    expect(first).to_contain_text("last success 31 h ago · next start Thu 05:58 (in 23 h)")
    warning = opened.locator(".warning")
    expect(warning).to_contain_text("The daemon's thread SENSOR was last heard of 30 min ago")
    expect(warning).to_contain_text("The schedule hourly_utc is switched off. Switch it on:")
    chips = opened.locator(".chips li").all_inner_texts()
    assert chips[:2] == ["× 1 failed", "! 1 refused"]  # noqa: RUF001
    assert chips[-1] == "✓ 12 fine"


def _failed(path: str, line: int, told: str, *, cause: str = "warehouse busy") -> ExtractFacts:
    attempt = Attempt(
        outcome=Outcome.FAILED,
        run_id=f"f-{path}",
        at=ago(minutes=9),
        cause=cause,
        report=f"{path}.sql:{line}:1: {told}",
    )
    return extract(path, attempts=(attempt,))


def _cards(browser: Browser, tmp_path: Path, failed: Sequence[ExtractFacts]) -> list[str]:
    part = morning_part(fine=0)
    facts = part.facts.model_copy(update={"extracts": {each.extract: each for each in failed}})
    file = tmp_path / "operations.html"
    file.write_bytes(page([part.model_copy(update={"facts": facts})]))
    tab = browser.new_page()
    tab.goto(file.as_uri())
    cards = tab.locator(".troubles > li").all_inner_texts()
    tab.close()
    return cards


def test_what_fails_for_one_reason_is_one_thing_to_read(browser: Browser, tmp_path: Path) -> None:
    down = [_failed(f"sales/by_{n:02}", n + 1, "the warehouse is suspended") for n in range(40)]
    other = _failed("sales/renamed", 3, "column amount does not exist", cause="sql")
    first, second = _cards(browser, tmp_path, [*down, other])
    assert first.startswith("× failed 40 extracts · team:logistics")  # noqa: RUF001
    assert "sales/by_00.sql:1:1: the warehouse is suspended" in first
    assert "next: extract failed shows each report; then extract rerun --failed" in first
    assert "sales/by_00, sales/by_01" in first
    assert first.endswith("sales/by_11 and 28 more: extract status")
    assert "sales/renamed" in second
    assert "column amount does not exist" in second


def test_two_that_fail_alike_are_two_cards(browser: Browser, tmp_path: Path) -> None:
    cards = _cards(browser, tmp_path, [_failed(f"a/{n}", n, "no such role") for n in (1, 2)])
    assert len(cards) == 2


def test_equal_words_of_another_cause_are_another_card(browser: Browser, tmp_path: Path) -> None:
    busy = [_failed(f"a/{n}", n, "it did not answer") for n in range(3)]
    lost = [_failed(f"b/{n}", n, "it did not answer", cause="network") for n in range(3)]
    cards = _cards(browser, tmp_path, [*busy, *lost])
    assert ["(warehouse busy)" in card for card in cards] == [True, False]
    assert ["(network)" in card for card in cards] == [False, True]


def test_what_is_fine_is_folded_if_there_is_much_of_it(browser: Browser, tmp_path: Path) -> None:
    for fine, is_open in ((12, True), (300, False)):
        file = tmp_path / f"{fine}.html"
        file.write_bytes(page([morning_part(fine)]))
        tab = browser.new_page()
        tab.goto(file.as_uri())
        rows = tab.locator(".line", has_text="fine/extract_0000")
        assert rows.is_visible() is is_open
        expect(tab.locator(".line", has_text="sales/renamed")).to_be_visible()
        tab.get_by_text(f"{fine} fine", exact=True).last.click()
        assert rows.is_visible() is not is_open
        tab.close()


def test_foreign_text_is_shown_and_not_obeyed(opened: Page) -> None:
    expect(opened.locator(".troubles")).to_contain_text(MALICE)
    assert opened.title() == "Operations"


def test_each_run_is_a_link_that_says_what_it_was(opened: Page) -> None:
    row = opened.locator(".line", has_text="sales/renamed")
    runs = row.locator("svg.day a")
    titles = runs.locator("title").all_text_contents()
    assert titles[-1] == "failed (sql), 06:01:00 to 06:02:00 UTC, 60 s"
    assert len(titles) == 4
    assert runs.last.get_attribute("href") == f"{URL}/runs/f0000000"


def test_an_outcome_is_read_without_colours(opened: Page) -> None:
    """Each has a form of its own: a sign, a height, an outline."""
    forms = {}
    for outcome in ("succeeded", "failed", "refused", "running", "queued", "cancelled"):
        bar = opened.locator(f"svg.day rect.{outcome}").first
        style = bar.evaluate("e => getComputedStyle(e).strokeDasharray + e.getAttribute('height')")
        filled = bar.evaluate(
            "e => getComputedStyle(e).fill !== getComputedStyle(document.body).backgroundColor"
        )
        sign = bar.evaluate("e => e.nextElementSibling?.textContent ?? ''")
        forms[outcome] = (style, filled, sign)
    assert len(set(forms.values())) == len(forms)


def test_hours_are_those_of_the_reader(opened: Page) -> None:
    hours = opened.locator(".hours time")
    expect(hours.last).to_have_text("15:00")  # 06:00 in UTC
    expect(hours.last).to_have_attribute("title", "2026-11-25T06:00:00.000Z")


def test_an_old_page_says_that_it_is_old(opened: Page) -> None:
    old = opened.get_by_role("alert").first
    expect(old).to_contain_text(re.compile(r"^This page is \d+ hours old: .+ Load it again"))
    faded = opened.locator(".warning").evaluate("e => getComputedStyle(e).opacity")
    assert float(faded) < 1


def test_a_page_of_now_says_nothing_of_its_age(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "operations.html"
    file.write_bytes(page([morning_part()]))
    tab = browser.new_page()
    tab.clock.set_fixed_time(NOW)
    tab.goto(file.as_uri())
    expect(tab.locator("#age")).to_be_hidden()
    assert tab.locator(".warning").evaluate("e => getComputedStyle(e).opacity") == "1"


def test_the_last_two_hours_have_room(opened: Page) -> None:
    """A run of a minute, nine minutes ago, is read beside one of now."""
    hours = opened.locator(".hours time").all_inner_texts()
    assert hours[-4:] == ["13:30", "14:00", "14:30", "15:00"]  # of the reader, in Tokyo
    widths = (
        opened.locator(".line", has_text="sales/by_day")
        .locator("svg.day")
        .evaluate(
            "e => [e.getBBox().width, e.querySelector('a:last-of-type rect').getBBox().width]"
        )
    )
    assert widths[1] > widths[0] / 24 / 60 * 2


def test_what_runs_says_for_how_long(opened: Page) -> None:
    row = opened.locator(".line", has_text="sales/orders_of_all_countries")
    note = row.locator(".row-note").first
    expect(note).to_have_text("running for 5 min; usually 30 s")
    expect(note).to_have_class(re.compile("over"))


def test_the_month_is_told_in_words_too(opened: Page) -> None:
    plot = opened.locator(".line", has_text="ops/missed").locator("svg.month title")
    words = plot.all_text_contents()
    assert words == [
        "seconds over 30 days: last 20 s, highest 224, 30 days",
        "rows over 30 days: last 2,200, highest 2,200, 30 days",
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_it_fits_a_phone_and_both_themes(
    browser: Browser, tmp_path: Path, theme: Literal["light", "dark"], width: int
) -> None:
    file = tmp_path / "operations.html"
    file.write_bytes(page([morning_part()]))
    tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=theme)
    tab.goto(file.as_uri())
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    ink, paper = (
        sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(", "))
        for colour in tab.evaluate(
            "(s => [s.color, s.backgroundColor])(getComputedStyle(document.body))"
        )
    )
    assert (ink < paper) is (theme == "light")
    tab.close()


@pytest.mark.slow
def test_thousands_of_extracts_make_a_page_that_opens(browser: Browser, tmp_path: Path) -> None:
    part = morning_part(fine=5_000)
    began = perf_counter()
    content = page([part])
    assert perf_counter() - began < 10
    assert len(content) < 4_000_000
    file = tmp_path / "operations.html"
    file.write_bytes(content)
    tab = browser.new_page()
    tab.goto(file.as_uri())
    expect(tab.locator(".line")).to_have_count(501)
    expect(tab.locator("body")).to_contain_text("And 4,509 more, all of them in a better state.")
    tab.close()


def test_each_extract_belongs_to_its_manifest_and_its_dagster(
    browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "operations.html"
    file.write_bytes(page([other_part(ago(minutes=3)), morning_part()]))
    tab = browser.new_page()
    tab.goto(file.as_uri())
    names = tab.locator(".troubles li > a").all_inner_texts()
    assert names[:3] == ["crm/contacts", "sales/renamed", "sales/by_day"]
    trouble = tab.locator(".troubles li").first
    expect(trouble).to_contain_text(f"team:crm · {OTHER_MANIFEST} · last success")
    expect(trouble.locator("a")).to_have_attribute("href", f"{OTHER_URL}/assets/crm/contacts")
    run = tab.locator(".line", has_text="crm/contacts").locator("svg.day a")
    assert run.get_attribute("href") == f"{OTHER_URL}/runs/d0000000"
    assert tab.locator(".chips li").first.inner_text() == "× 2 failed"  # noqa: RUF001
    parts = tab.locator(".parts li")
    expect(parts.first).to_contain_text(f"{OTHER_MANIFEST} · 2 extracts · 0 runs are running")
    expect(parts.last.get_by_role("link")).to_have_attribute("href", URL)
    warning = tab.locator(".warning")
    expect(warning).to_contain_text(f"{MANIFEST}: The schedule hourly_utc is switched off.")
    expect(warning).not_to_contain_text(OTHER_MANIFEST)
    tab.close()


def test_a_part_that_nobody_brings_up_to_date_says_so() -> None:
    shown = page([other_part(ago(hours=3)), morning_part()]).decode()
    assert f"{OTHER_MANIFEST}: What is shown is 3 h old: its sensor operations does not" in shown
    assert f"extract operations --forget {OTHER_MANIFEST}" in shown
