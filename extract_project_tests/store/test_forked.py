"""A client of S3 in a process that was forked from the one that made it."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection

import pytest

from extract_project.store.s3.client import connect
from extract_project_tests.conftest import Site

_REQUESTS = 50


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_has_connections_of_its_own(site: Site) -> None:
    s3, bucket = connect(), site.data.bucket
    for key in ("mine", "theirs"):
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())

    def answers(key: str) -> set[bytes]:
        found = (s3.get_object(Bucket=bucket, Key=key)["Body"].read() for _ in range(_REQUESTS))
        return set(found)

    def tell(told: Connection) -> None:
        told.send(answers("theirs"))

    context = multiprocessing.get_context("fork")
    received, told = context.Pipe(duplex=False)
    forked = context.Process(target=tell, args=(told,))
    forked.start()
    told.close()
    assert answers("mine") == {b"mine"}
    assert received.recv() == {b"theirs"}
    forked.join()
