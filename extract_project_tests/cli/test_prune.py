"""`extract prune`, `pin` and `unpin`, as their users call them."""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest

from extract_project.history.pins import pinned_ids, read_pins
from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import call
from extract_project_tests.support.history import KEY, publish_another


def test_a_pin_is_shown_and_needs_a_bucket_that_can_hold(configured: Site) -> None:
    site = configured
    old, new = publish_another(site), publish_another(site)
    refused = call("pin", "a/b", old, "--reason", "accounts")
    assert refused.exit_code == 2
    assert "aws s3api put-object-lock-configuration" in refused.output
    assert pinned_ids(site.state, KEY) == []
    site.s3.put_object_lock_configuration(
        Bucket=site.data.bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
    )
    pinned = call("pin", "a/b", "previous", "--reason", "accounts", "--by", "ada")
    assert f"extract unpin a/b {old}" in pinned.output
    assert "by ada: accounts" in call("versions", "a/b").stdout
    (made,) = read_pins(site.state, KEY).items()
    assert (made[0], made[1].reason) == (old, "accounts")
    assert "nothing to remove" in call("prune", "--keep", "0", "--older-than", "0s", "--yes").output
    assert call("unpin", "a/b", old).exit_code == 0
    assert site.version_ids(KEY) == [new, old]
    assert "pinned" not in call("versions", "a/b").stdout


def test_prune_says_what_would_go_and_does_it_when_told(configured: Site) -> None:
    site = configured
    made = [publish_another(site) for _ in range(3)]
    arguments = ("prune", "a/b", "--keep", "1", "--older-than", "0s")
    said = call(*arguments)
    assert said.exit_code == 0
    assert "1 would be removed" in said.output
    assert "--yes removes them" in said.output
    assert len(site.version_ids(KEY)) == 3
    assert "1 removed" in call(*arguments, "--yes").output
    assert site.version_ids(KEY) == made[:0:-1]
    site.s3.delete_object(Bucket=site.manifest.bucket, Key="sql/a/b.sql")
    assert "1 would be removed" in call("prune", "a/b", "--keep", "0", "--older-than", "0s").output
    wrong = call("prune", "a/c")
    assert (wrong.exit_code, "no extract 'a/c'" in wrong.output) == (2, True)


def test_prune_aborts_uploads_of_runs_that_are_over(
    configured: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = configured
    site.put_sql("a/b", "/*---\ntimeout: 1s\n---*/\nselect 1 as n")
    for key in (KEY, "extracts/a/bb.parquet"):
        site.s3.create_multipart_upload(Bucket=site.data.bucket, Key=key)
    assert "0 uploads would be aborted" in call("prune", "--uploads").output, "it may be alive"
    # The module, which the command hides under its own name.
    monkeypatch.setattr(
        sys.modules["extract_project.cli.published.prune"], "ABANDONED_AFTER", -timedelta(hours=1)
    )
    assert "1 uploads would be aborted" in call("prune", "--uploads").output
    assert site.open_uploads() == 2
    assert "1 uploads aborted" in call("prune", "--uploads", "--yes").output
    assert site.open_uploads() == 1
