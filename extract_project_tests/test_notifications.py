"""The consumer of docs/notifications.md, with a server that sends the events of its buckets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import boto3
import pytest

from extract_project.store.folder import Location
from extract_project.store.s3.client import connect
from extract_project_tests.conftest import Site
from extract_project_tests.support.ministack import ministack_server
from extract_project_tests.support.publishing import materialize

PAGE = Path(__file__).parent.parent / "docs/notifications.md"


def consumer() -> Any:
    """The function that the page shows."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (block,) = (each for each in blocks if "def new_versions" in each)
    names: dict[str, Any] = {}
    exec(block, names)
    return names["new_versions"]


@pytest.mark.slow
def test_a_consumer_is_told_of_every_version_and_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ministack_server(tmp_path, services="s3,sqs") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", server.endpoint)
        for bucket in ("manifest", "data"):
            server.make_bucket(bucket)
        s3, sqs = connect(), boto3.client("sqs")
        site = Site.of(server, s3, Location("manifest", "sql"), Location("data", "extracts"))
        queue = sqs.create_queue(QueueName="new-orders")["QueueUrl"]
        told = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        rules: Any = [{"Name": "prefix", "Value": "extracts/sales/orders.parquet"}]
        to_queue: Any = {
            "QueueArn": told["Attributes"]["QueueArn"],
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": rules}},
        }
        s3.put_bucket_notification_configuration(
            Bucket="data", NotificationConfiguration={"QueueConfigurations": [to_queue]}
        )
        versions = [
            materialize(site, site.extract("sales/orders", f"select {number} as a")).version_id
            for number in (1, 2)
        ]
        materialize(site, site.extract("sales/other", "select 1 as a"))

        heard = list(consumer()(queue))

        key = "extracts/sales/orders.parquet"
        assert sorted(heard) == sorted(("data", key, version) for version in versions)
        assert list(consumer()(queue)) == []
