"""A manifest of any number of SQL files, such as a company might have. It is always the same."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from extract_project.store.folder import Location

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PER_FOLDER = 50
_CRONS = [f"{minute} {hour} * * *" for hour in (4, 5, 6, 7, 20) for minute in (0, 15, 30, 45)]
_WRITERS = 16

TABLE = """
create schema shop;
create table shop.orders as
select i as order_id, i % 97 as customer_id, date '2026-01-01' + (i % 30)::int as ordered_on,
       (i % 10000)::decimal(15, 2) as amount, ['open', 'paid', 'sent'][1 + i % 3] as status
from range(1000) as numbers(i)
"""
_FILE = """\
/*---
description: >-
  Orders of customer group {number}, one row per order. Read by the CRM every morning; ask
  the owners before changing a column.
owners: [team:{folder}, analyst{analyst}@acme.example]
tags: {{domain: {folder}, tier: t{tier}}}
{when}{after}checks:
  - min_rows: 1
  - unique: order_id
  - not_null: [customer_id, amount]
---*/
with chosen as (
  select order_id, customer_id, ordered_on, amount, status
  from shop.orders
  where customer_id % 7 = {remainder}
)
select
  order_id,
  customer_id,
  ordered_on,
  amount,
  amount * 0.19 as vat,
  status
from chosen
where status in ('open', 'paid', 'sent')
order by order_id
"""


def path(number: int) -> str:
    """The path of one extract, by its number."""
    return f"{_folder(number)}/orders_{number:05d}"


def text(number: int) -> str:
    """One SQL file. Most have a schedule; some depend on another file of their folder."""
    scheduled = number % 5 != 0
    follows = number % 10 == 1
    return _FILE.format(
        number=number,
        folder=_folder(number),
        analyst=number % 40,
        tier=number % 3,
        remainder=number % 7,
        when=f'schedule: "{_CRONS[number % len(_CRONS)]}"\n' if scheduled else "",
        after=f"depends_on: [{path(number - 1)}]\n" if follows else "",
    )


def put(s3: S3Client, manifest: Location, number: int, changed: str = "") -> str:
    """Put one file, with `changed` as a comment at its end; returns its path."""
    body = text(number) + (f"-- {changed}\n" if changed else "")
    s3.put_object(
        Bucket=manifest.bucket, Key=manifest.key(f"{path(number)}.sql"), Body=body.encode()
    )
    return path(number)


def put_all(s3: S3Client, manifest: Location, count: int) -> None:
    """Put the files 0 to `count`."""
    with ThreadPoolExecutor(_WRITERS) as pool:
        for _ in pool.map(lambda number: put(s3, manifest, number), range(count)):
            pass


def numbers() -> Iterator[int]:
    """Numbers of files that `put_all` has not put, each of them once."""
    yield from range(90_000, 100_000)


def _folder(number: int) -> str:
    return f"domain_{number // _PER_FOLDER:03d}"
