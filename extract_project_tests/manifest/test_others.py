"""Extracts that depend on those of another manifest, known from its newest snapshot."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from hashlib import sha256

import pytest

from extract_project.manifest.bucket import read_manifest
from extract_project.manifest.elsewhere import extracts_elsewhere, manifests_by_path
from extract_project.manifest.extract import Extract
from extract_project.manifest.others import found_elsewhere, read_others
from extract_project.manifest.snapshot import (
    Snapshot,
    load_snapshot,
    marked_id,
    point_to,
    save_snapshot,
)
from extract_project.store.folder import Location
from extract_project.store.stores import Folders
from extract_project_tests.conftest import DIALECTS, Site


def beside(site: Site, name: str) -> Site:
    """The site of another team, which publishes at the same place."""
    manifest = Location(site.manifest.bucket, name)
    return Site.of(site.server, site.s3, manifest, site.data)


def put(site: Site, path: str, *header: str) -> None:
    site.put_sql(path, "/*---\n{}\n---*/\nselect 1 as a".format("\n".join(header)))


def depending_on(site: Site, *others: Site) -> Folders:
    return replace(site.folders, upstream_manifests=tuple(each.manifest.uri for each in others))


def read(site: Site, *others: Site) -> Snapshot:
    known = read_others(depending_on(site, *others))
    return read_manifest(site.manifest, DIALECTS, others=known)


def load(site: Site, *others: Site) -> str:
    """What its code location does: take a snapshot, the newest one."""
    saved = save_snapshot(site.state, read(site, *others))
    point_to(site.state, site.manifest.uri, saved)
    return saved


def reason(snapshot: Snapshot, path: str) -> str:
    (found,) = (each.reasons[0] for each in snapshot.invalid if each.path == path)
    return found


@pytest.fixture
def sales(site: Site) -> Site:
    return beside(site, "sales-sql")


def test_g3_a_snapshot_has_what_it_depends_on_elsewhere_and_all_upstream_of_that(
    site: Site, sales: Site
) -> None:
    put(sales, "sales/orders", "schedule: hourly", "timezone: Europe/Berlin", "owners: team:sales")
    put(sales, "sales/totals", "depends_on: sales/orders")
    put(sales, "sales/other")
    load(sales)
    put(site, "crm/report", "depends_on: sales/totals")
    snapshot = read(site, sales)
    assert [each.path for each in snapshot.extracts] == ["crm/report"]
    known = extracts_elsewhere(snapshot.elsewhere)
    assert known.keys() == {"sales/orders", "sales/totals"}
    orders = known["sales/orders"].header
    assert (orders.crons, orders.timezone) == (("0 * * * *",), "Europe/Berlin")
    assert set(manifests_by_path(snapshot.elsewhere).values()) == {sales.manifest.uri}
    saved = save_snapshot(site.state, snapshot)
    put(sales, "sales/orders")
    load(sales)
    assert load_snapshot(site.state, saved) == snapshot
    of_a_run = load_snapshot(site.state, saved, only=["crm/report"])
    assert of_a_run == snapshot.model_copy(update={"elsewhere": ()})


def test_only_what_decides_when_something_starts_is_a_change(site: Site, sales: Site) -> None:
    put(sales, "sales/orders")
    load(sales)
    put(site, "crm/report", "depends_on: sales/orders")
    loaded = read(site, sales)
    known = read_others(depending_on(site, sales))
    assert read_others(depending_on(site, sales), known)[0] is known[0], "read once"

    def now() -> tuple[object, ...]:
        others = read_others(depending_on(site, sales), known)
        return found_elsewhere(loaded.upstream, others, site.manifest.uri)

    put(sales, "sales/orders", "description: more words")
    put(sales, "sales/more", "schedule: hourly")
    load(sales)
    assert now() == loaded.elsewhere
    for header in ("schedule: daily at 06:00", "enabled: false", "partitions: daily"):
        sql = "select :partition_key as a" if "partitions" in header else "select 1 as a"
        sales.put_sql("sales/orders", f"/*---\n{header}\n---*/\n{sql}")
        load(sales)
        assert now() not in (loaded.elsewhere, ()), header
    sales.s3.delete_object(Bucket=sales.manifest.bucket, Key=sales.manifest.key("sales/orders.sql"))
    load(sales)
    assert now() == ()


def test_what_was_not_there_is_a_change_once_it_is(site: Site, sales: Site) -> None:
    put(site, "crm/report", "depends_on: sales/orders")
    load(sales)
    loaded = read(site, sales)
    said = f"no extract 'sales/orders' to depend on, here or in {sales.manifest.uri}"
    assert said in reason(loaded, "crm/report")
    put(sales, "sales/orders")
    load(sales)
    others = read_others(depending_on(site, sales))
    assert found_elsewhere(loaded.upstream, others, site.manifest.uri) != loaded.elsewhere
    assert not read(site, sales).invalid


def test_names_are_suggested_from_all_manifests(site: Site, sales: Site) -> None:
    put(sales, "sales/orders")
    load(sales)
    put(site, "crm/report", "depends_on: sales/order")
    assert "did you mean 'sales/orders'?" in reason(read(site, sales), "crm/report")


def test_g6_a_manifest_of_which_nothing_is_known_concerns_only_what_depends_on_it(
    site: Site, sales: Site
) -> None:
    put(site, "crm/report", "depends_on: sales/orders")
    put(site, "crm/leads")
    put(site, "crm/after", "depends_on: crm/leads")
    snapshot = read(site, sales)
    assert [each.path for each in snapshot.extracts] == ["crm/after", "crm/leads"]
    told = reason(snapshot, "crm/report")
    assert told.startswith("crm/report.sql:2:1: no extract 'sales/orders' to depend on")
    known = f"nothing is known of {sales.manifest.uri}, which EXTRACT_UPSTREAM_MANIFESTS names: "
    assert f"{known}it has no snapshot in {site.state}: " in told
    assert "EXTRACT_STATE" in told

    put(sales, "sales/orders")
    saved = load(sales)
    assert not read(site, sales).invalid
    key = site.state.key(f"snapshots/{saved}.json.gz")
    site.s3.put_object(Bucket=site.state.bucket, Key=key, Body=b"not one")
    assert "its newest snapshot cannot be read: " in reason(read(site, sales), "crm/report")
    site.s3.delete_object(Bucket=site.state.bucket, Key=key)
    assert "its newest snapshot cannot be read: " in reason(read(site, sales), "crm/report")


def test_a_path_that_two_manifests_have_is_refused(site: Site, sales: Site) -> None:
    for each in (site, sales):
        put(each, "both/orders")
    load(sales)
    put(site, "crm/report", "depends_on: both/orders")
    told = reason(read(site, sales), "crm/report")
    assert f"'both/orders' is in EXTRACT_MANIFEST and in {sales.manifest.uri}" in told
    hr = beside(site, "hr-sql")
    put(hr, "hr/people")
    put(sales, "hr/people")
    load(hr)
    load(sales)
    put(site, "crm/report", "depends_on: hr/people")
    told = reason(read(site, hr, sales), "crm/report")
    assert f"is in {hr.manifest.uri} and in {sales.manifest.uri}" in told


def test_a_circle_through_two_manifests_is_refused(site: Site, sales: Site) -> None:
    put(site, "crm/leads")
    load(site)
    put(sales, "sales/orders", "depends_on: crm/leads")
    load(sales, site)
    put(site, "crm/leads", "depends_on: crm/between")
    put(site, "crm/between", "depends_on: sales/orders")
    told = reason(read(site, sales), "crm/leads")
    assert "crm/leads → crm/between → sales/orders → crm/leads: remove one" in told


def test_g6_an_invalid_extract_elsewhere_leaves_what_depends_on_it_as_it_is(
    site: Site, sales: Site
) -> None:
    """As within one manifest: nothing waits for what cannot run."""
    sales.put_sql("sales/orders", "selec 1")
    load(sales)
    put(site, "crm/report", "depends_on: sales/orders")
    snapshot = read(site, sales)
    assert [each.path for each in snapshot.extracts] == ["crm/report"]
    assert snapshot.elsewhere[0].invalid == ("sales/orders",)


def test_what_others_depend_on_again_is_known_through_them(site: Site, sales: Site) -> None:
    hr = beside(site, "hr-sql")
    put(hr, "hr/people", "schedule: hourly")
    load(hr)
    put(sales, "sales/orders", "depends_on: hr/people")
    load(sales, hr)
    put(site, "crm/report", "depends_on: sales/orders")
    manifests = manifests_by_path(read(site, sales).elsewhere)
    assert manifests == {"hr/people": hr.manifest.uri, "sales/orders": sales.manifest.uri}
    put(site, "crm/report", "depends_on: hr/people")
    assert "no extract 'hr/people'" in reason(read(site, sales), "crm/report"), "not in the list"


def _rewritten(site: Site, saved: str, **header: object) -> None:
    """The newest snapshot as another release would have written it."""
    body = site.body(site.state.key(f"snapshots/{saved}.json.gz"))
    head, *lines = gzip.decompress(body).split(b"\n")
    extracts = [json.loads(line) for line in lines]
    for each in extracts:
        each["header"] |= header
    content = b"\n".join([head, *(json.dumps(each).encode() for each in extracts)])
    name = sha256(content).hexdigest()[:32]
    key = site.state.key(f"snapshots/{name}.json.gz")
    site.s3.put_object(Bucket=site.state.bucket, Key=key, Body=gzip.compress(content))
    point_to(site.state, site.manifest.uri, name)


def test_the_other_location_may_run_another_release(site: Site, sales: Site) -> None:
    put(sales, "sales/orders", "schedule: hourly")
    saved = load(sales)
    put(site, "crm/report", "depends_on: sales/orders")
    _rewritten(sales, saved, a_later_key={"of": "a later release"}, format="papyrus")
    snapshot = read(site, sales)
    assert not snapshot.invalid
    (orders,) = extracts_elsewhere(snapshot.elsewhere).values()
    assert orders.header.crons == ("0 * * * *",)
    _rewritten(sales, saved, schedule=["at full moon"])
    told = reason(read(site, sales), "crm/report")
    assert "was written by another release of this project" in told
    assert "full moon" in told
    put(sales, "sales/totals", "depends_on: sales/orders")
    _rewritten(sales, load(sales), schedule=["at full moon"])
    put(site, "crm/report", "depends_on: sales/totals")
    assert "'sales/totals' in " in reason(read(site, sales), "crm/report")


def test_a_snapshot_of_a_release_before_still_loads(site: Site) -> None:
    put(site, "crm/report")
    plain = site.snapshot()
    saved = save_snapshot(site.state, plain)
    body = gzip.decompress(site.body(site.state.key(f"snapshots/{saved}.json.gz")))
    head, *lines = body.split(b"\n")
    older = {k: v for k, v in json.loads(head).items() if k not in ("upstream", "elsewhere")}
    content = b"\n".join([json.dumps(older).encode(), *lines])
    name = sha256(content).hexdigest()[:32]
    key = site.state.key(f"snapshots/{name}.json.gz")
    site.s3.put_object(Bucket=site.state.bucket, Key=key, Body=gzip.compress(content))
    assert load_snapshot(site.state, name) == plain
    point_to(site.state, site.manifest.uri, name)
    assert marked_id(site.state, site.manifest.uri) == name
    other = beside(site, "other-sql")
    put(other, "other/report", "depends_on: crm/report")
    (found,) = read(other, site).extracts
    assert isinstance(found, Extract)
