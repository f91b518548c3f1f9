"""A short storm; `make storm MINUTES=60` is a long one."""

from __future__ import annotations

import pytest

from extract_project.embedded.s3_server import S3Server
from extract_project_tests.support.storm import check, storm_site

pytestmark = pytest.mark.soak


@pytest.mark.timeout(900)
def test_after_a_storm_everything_is_accounted_for(
    module_aws: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with storm_site(module_aws, tmp_path_factory.mktemp("storm"), seed=3) as storm:
        storm.rage(minutes=1)
        storm.calm()
        report = check(storm)
    assert report.violations == []
    assert report.counts["published versions"] > 0
