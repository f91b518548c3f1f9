"""The page in a real browser, opened as a file: what a reader finds, copies and sees."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from extract_project.catalog.model import (
    Catalog,
    CatalogColumn,
    CatalogDefaults,
    CatalogEntry,
    CatalogManifest,
    CatalogVersion,
    DeclaredColumn,
    Published,
)
from extract_project.catalog.page import page

MALICE = "<img src=x onerror=document.title='broken'></script><b>bold</b>"
"""What must be shown as it is, wherever somebody may have written it."""


def version(number: int, ago: timedelta) -> CatalogVersion:
    at = datetime.now(UTC) - ago
    return CatalogVersion(
        key="extracts/sales/orders.parquet",
        version_id=f"version{number}",
        published_at=at,
        token="etag",
        modified=at,
        bytes=2048,
        rows=1000 + number,
        rows_change=1,
        sql_changed=False,
        schema_changed=True,
        restored=False,
        run_id="run",
    )


ORDERS = CatalogEntry(
    path="sales/orders",
    manifest="s3://acme/sql",
    defaults=("s3://acme/sql/_defaults.yaml", "s3://acme/sql/sales/_defaults.yaml"),
    description=f"Orders by day. {MALICE}",
    owners=("team:sales",),
    warehouse="shop",
    warehouse_type="duckdb",
    schedule=("daily at 06:00",),
    freshness_seconds=26 * 3600,
    format="parquet",
    uri="s3://acme/extracts/sales/orders.parquet",
    reads=("shop.order_lines",),
    downstream=("finance/rates",),
    columns=(DeclaredColumn(name="ORDER_ID", nullable=False, description="The shop's number."),),
    sql=f"select 1 -- {MALICE}",
    published=Published(
        versions=(version(2, timedelta(hours=3)), version(1, timedelta(days=2))),
        columns=(
            CatalogColumn(
                name="order_id", type="int64", nulls=0, null_share=0, lowest="1", highest="9"
            ),
            CatalogColumn(
                name="customer", type="text", nulls=5, null_share=0.5, lowest=MALICE, highest="z"
            ),
        ),
        partitions=None,
        code_version="1",
        format_options={"delimiter": ";", "header": False},
    ),
)
LATE = ORDERS.model_copy(
    update={
        "path": "sales/late",
        "published": ORDERS.published.model_copy(
            update={"versions": (version(3, timedelta(days=2)),)}
        )
        if ORDERS.published
        else None,
    }
)
INVALID = CatalogEntry(
    path="broken",
    manifest="s3://acme/sql",
    problems=("broken.sql:1:8: expected a column",),
    sql="select",
)
NAMESAKE = CatalogEntry(path="finance/rates", manifest="s3://acme/team", sql="select 'of the team'")
UNPUBLISHED = CatalogEntry(
    path="finance/rates",
    manifest="s3://acme/sql",
    upstream=("sales/orders",),
    sql="select 1",
    consumers=("crm of sales",),
    columns=(
        DeclaredColumn(
            name="rate", type="float64", nullable=False, description=f"To EUR. {MALICE}"
        ),
        DeclaredColumn(name="day", type="date"),
    ),
)
OTHERS = [ORDERS.model_copy(update={"path": f"many/number_{number:04}"}) for number in range(1200)]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    catalog = Catalog(
        data="s3://acme/extracts",
        manifests=(
            CatalogManifest(uri="s3://acme/sql", built_at=datetime.now(UTC)),
            CatalogManifest(uri="s3://acme/team", built_at=datetime.now(UTC)),
        ),
        defaults=(
            CatalogDefaults(uri="s3://acme/sql/_defaults.yaml", version="v1", text="retries: 1"),
            CatalogDefaults(
                uri="s3://acme/sql/sales/_defaults.yaml", version="v2", text=f"# {MALICE}"
            ),
        ),
        extracts=(INVALID, UNPUBLISHED, NAMESAKE, *OTHERS, LATE, ORDERS),
    )
    file = tmp_path_factory.mktemp("catalog") / "index.html"
    file.write_bytes(page(catalog))
    return file


@pytest.fixture
def reader(browser: Browser, file: Path) -> Iterator[Page]:
    """A reader who has opened the page; nothing may have gone wrong in it."""
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    opened, faults = context.new_page(), list[str]()
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    opened.goto(file.as_uri())
    yield opened
    context.close()
    assert faults == []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("orders", 1202),  # the table that all of them read
        ("sales/orders", 1),
        ("team:sales number_0007", 1),
        ("CUSTOMER late", 1),
        ("crm", 1),
        ("finance day", 1),
        ("no such thing", 0),
    ],
)
def test_an_extract_is_found_by_what_readers_know(reader: Page, words: str, found: int) -> None:
    reader.get_by_role("searchbox").fill(words)

    expect(reader.get_by_role("status")).to_contain_text(f"{found:,} of 1,205 extracts")


def test_an_extract_is_shown_whole(reader: Page) -> None:
    reader.get_by_role("searchbox").fill("sales/orders")
    reader.get_by_role("link", name="orders").click()
    main = reader.get_by_role("main")

    expect(main.get_by_role("heading", level=1)).to_have_text("sales/orders fresh")
    expect(main).to_contain_text("3 hours ago")
    expect(main).to_contain_text("1,002 rows, 2.0 KiB")
    expect(main).to_contain_text("at most 26 hours old")
    expect(main).to_contain_text("shop.order_lines (shop, duckdb)")
    expect(main).to_contain_text('parquet, delimiter ";", header false')
    expect(main.get_by_role("row").filter(has_text="order_id")).to_contain_text("int64 not null")
    row = main.get_by_role("row").filter(has_text="customer")
    expect(row).to_contain_text("50.0 %")
    expect(main.get_by_role("row").filter(has_text="version2")).to_contain_text("other columns")
    main.get_by_role("link", name="finance/rates").click()
    expect(main.get_by_role("heading", level=1)).to_have_text("finance/rates not published")
    reader.go_back()
    expect(main.get_by_role("heading", level=1)).to_have_text("sales/orders fresh")


def test_what_columns_mean_is_shown_before_and_after_the_first_version(reader: Page) -> None:
    reader.goto(f"{reader.url}#finance%2Frates")
    main = reader.get_by_role("main")
    expect(main).to_contain_text("crm of sales")
    row = main.get_by_role("row").filter(has_text="rate")
    expect(row).to_have_text(f"ratefloat64 not nullTo EUR. {MALICE}")
    reader.goto(f"{reader.url.partition('#')[0]}#sales%2Forders")
    expect(main.get_by_role("row").filter(has_text="order_id")).to_contain_text("The shop's number")


def test_defaults_of_folders_are_shown_the_nearest_first(reader: Page) -> None:
    reader.goto(f"{reader.url}#sales%2Forders")
    main = reader.get_by_role("main")
    expect(main).to_contain_text("Defaults of its folders")

    near, far = main.locator("pre").nth(-2), main.locator("pre").nth(-1)
    expect(near).to_have_text(f"# {MALICE}")
    expect(far).to_have_text("retries: 1")
    expect(main).to_contain_text("s3://acme/sql/sales/_defaults.yaml version v2")


def test_two_manifests_may_have_an_extract_of_one_name(reader: Page) -> None:
    main = reader.get_by_role("main")
    expect(main).to_contain_text("s3://acme/team")  # what the page is made of
    reader.get_by_role("searchbox").fill("finance/rates")
    for place, sql in enumerate(("select 1", "select 'of the team'")):
        reader.get_by_role("link", name="rates").nth(place).click()
        expect(main.locator("pre").first).to_have_text(sql)


def test_what_people_wrote_is_text_and_nothing_else(reader: Page) -> None:
    reader.goto(f"{reader.url}#sales%2Forders")
    main = reader.get_by_role("main")

    expect(main.locator(".description")).to_have_text(f"Orders by day. {MALICE}")
    expect(main.locator("pre").nth(-3)).to_have_text(f"select 1 -- {MALICE}")
    expect(main.locator("pre").nth(-2)).to_have_text(f"# {MALICE}")
    expect(main.get_by_role("row").filter(has_text="customer")).to_contain_text(MALICE)
    assert reader.locator("img, b").count() == 0
    assert reader.title() == "sales/orders"


def test_what_is_copied_reads_the_version_that_was_chosen(reader: Page) -> None:
    reader.goto(f"{reader.url}#sales%2Forders")
    reader.get_by_role("tab", name="one version, AWS").click()
    reader.get_by_label("Version").select_option(index=1)
    reader.get_by_role("button", name="Copy").first.click()
    expect(reader.get_by_role("button", name="Copied")).to_be_visible()

    assert reader.evaluate("navigator.clipboard.readText()") == (
        "aws s3api get-object --bucket acme --key extracts/sales/orders.parquet \\\n"
        "  --version-id version1 orders.parquet"
    )


def test_late_and_invalid_extracts_stand_out(reader: Page) -> None:
    reader.get_by_role("searchbox").fill("sales/late")
    expect(reader.get_by_role("link", name="late late")).to_be_visible()
    reader.goto(f"{reader.url.partition('#')[0]}#broken")
    expect(reader.get_by_role("main")).to_contain_text("broken.sql:1:8: expected a column")


def test_an_address_of_something_that_is_gone_says_so(reader: Page) -> None:
    reader.goto(f"{reader.url}#sales%2Fgone")

    expect(reader.get_by_role("main")).to_contain_text("No extract sales/gone")


@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_is_wider_than_the_window(reader: Page, width: int) -> None:
    reader.set_viewport_size({"width": width, "height": 800})
    reader.goto(f"{reader.url}#sales%2Forders")
    expect(reader.get_by_role("main")).to_contain_text("Versions")

    assert reader.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_phone_the_list_makes_way(reader: Page) -> None:
    reader.set_viewport_size({"width": 390, "height": 800})
    expect(reader.get_by_role("main")).to_be_hidden()
    reader.get_by_role("searchbox").fill("sales/orders")
    reader.get_by_role("link", name="orders").click()
    expect(reader.get_by_role("searchbox")).to_be_hidden()
    reader.get_by_role("link", name="All extracts").click()
    expect(reader.get_by_role("searchbox")).to_be_visible()
