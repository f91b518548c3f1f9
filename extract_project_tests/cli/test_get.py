"""`extract get -o`: files, directories, pipes, devices and standard output."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import threading
from hashlib import sha256
from pathlib import Path
from stat import S_ISCHR, S_ISFIFO
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import call
from extract_project_tests.support.publishing import publish

CSV = "/*---\nformat: csv\n---*/\nselect i, md5(i::varchar) as d from range(1000) t(i) order by i"
SPLIT = "/*---\nformat: {}\nsplit: {{rows: 2}}\n---*/\nselect n from range(5) t(n) order by n"
LARGE = "select i, md5(i::varchar) as d from range(700000) t(i) order by i"


def get(
    site: Site, *arguments: str, stdout: int | IO[bytes] = subprocess.PIPE
) -> subprocess.CompletedProcess[bytes]:
    """The command as a process of its own."""
    code = "from extract_project.cli.main import main; main()"
    done: subprocess.CompletedProcess[bytes] = subprocess.run(
        [sys.executable, "-c", code, "get", *arguments],
        env={**os.environ, **site.environment},
        check=False,
        stderr=subprocess.PIPE,
        stdout=stdout,
    )
    return done


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("-", CSV, id="small"),
        pytest.param("-", LARGE, id="several ranges"),
        ("/dev/stdout", LARGE),
        pytest.param("/dev/fd/1", LARGE, marks=pytest.mark.soak),
        pytest.param("/proc/self/fd/1", LARGE, marks=pytest.mark.soak),
    ],
)
def test_standard_output_gets_the_bytes_and_nothing_else(
    configured: Site, name: str, text: str
) -> None:
    publish(configured, "a/b", text)
    key = "extracts/a/b.csv.gz" if text == CSV else "extracts/a/b.parquet"
    done = get(configured, "a/b", "-o", name)
    assert done.returncode == 0, done.stderr
    assert sha256(done.stdout).digest() == sha256(configured.body(key)).digest()
    assert b"verified" in done.stderr
    assert not Path("-").exists()


@pytest.mark.slow
def test_standard_output_may_be_a_file(configured: Site, tmp_path: Path) -> None:
    publish(configured, "a/b", CSV)
    for name in ("-", "/dev/stdout"):
        with (tmp_path / "out").open("wb") as file:
            assert get(configured, "a/b", "-o", name, stdout=file).returncode == 0
        assert (tmp_path / "out").read_bytes() == configured.body("extracts/a/b.csv.gz")


def test_whoever_stops_reading_ends_it(configured: Site) -> None:
    publish(configured, "a/b", LARGE)
    reading, writing = os.pipe()
    os.close(reading)
    done = get(configured, "a/b", "-o", "-", stdout=writing)
    os.close(writing)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


def test_a_pipe_is_written_into_and_stays_one(configured: Site, tmp_path: Path) -> None:
    publish(configured, "a/b", CSV)
    fifo = tmp_path / "b.csv"  # gets it as it is published, whatever its name
    os.mkfifo(fifo)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()))
    reader.start()
    result = call("get", "a/b", "-o", fifo)
    reader.join()
    assert result.exit_code == 0, result.output
    assert "verified" in result.stderr
    assert read == [configured.body("extracts/a/b.csv.gz")]
    assert S_ISFIFO(fifo.stat().st_mode)
    assert [file.name for file in tmp_path.iterdir()] == ["b.csv"]


def test_a_device_stays_one(configured: Site) -> None:
    publish(configured, "a/b", CSV)
    assert call("get", "a/b", "-o", "/dev/null").exit_code == 0
    assert S_ISCHR(Path("/dev/null").stat().st_mode)
    full = call("get", "a/b", "-o", "/dev/full")
    assert full.exit_code != 0


def test_a_file_is_replaced_only_when_told(
    configured: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(configured, "a/b", "select 1 as n")
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "b.parquet"
    file.write_text("mine")
    for arguments in (["a/b"], ["a/b", "-o", "b.parquet"], ["a/b", "-o", str(tmp_path)]):
        refused = call("get", *arguments)
        assert refused.exit_code == 2
        assert "b.parquet exists: replace it with --force" in refused.output.replace("\n", " ")
        assert file.read_text() == "mine"
    assert call("get", "a/b", "--force").exit_code == 0
    assert pq.read_table(file)["n"].to_pylist() == [1]
    assert [each.name for each in tmp_path.iterdir()] == ["b.parquet"]


def test_a_link_stays_one(configured: Site, tmp_path: Path) -> None:
    publish(configured, "a/b", "select 1 as n")
    link, file = tmp_path / "newest.parquet", tmp_path / "data.parquet"
    link.symlink_to(file)
    assert call("get", "a/b", "-o", link).exit_code == 0
    assert link.is_symlink()
    assert pq.read_table(file)["n"].to_pylist() == [1]
    assert call("get", "a/b", "-o", link).exit_code == 2


def test_a_directory_gets_the_file_under_its_name(configured: Site, tmp_path: Path) -> None:
    publish(configured, "a/b", CSV)
    assert call("get", "a/b", "-o", tmp_path).exit_code == 0
    assert (tmp_path / "b.csv.gz").read_bytes() == configured.body("extracts/a/b.csv.gz")
    missing = call("get", "a/b", "-o", tmp_path / "absent" / "b.csv.gz")
    assert missing.exit_code == 2
    assert "cannot be written (No such file or directory)" in missing.output


@pytest.mark.parametrize(("codec", "suffix"), [("gzip", ".gz"), ("zstd", ".zst")])
@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_a_file_is_what_its_name_says(
    configured: Site, tmp_path: Path, name: str, codec: str, suffix: str
) -> None:
    """`-o x.csv` of a `.csv.gz` was a gzip file."""
    publish(configured, "a/b", CSV.replace("csv", f"{name}\ncompression: {codec}"))
    stored = configured.body(f"extracts/a/b.{name}{suffix}")
    assert "verified" in call("get", "a/b", "-o", tmp_path / f"x.{name}").output
    plain = pa.input_stream(io.BytesIO(stored), compression=codec).read()
    assert (tmp_path / f"x.{name}").read_bytes() == plain
    for kept in (f"x.{name}{suffix}", "x", "x.txt"):
        assert call("get", "a/b", "-o", tmp_path / kept).exit_code == 0
        assert (tmp_path / kept).read_bytes() == stored
    for wrong in ("x.parquet", "x.jsonl" if name == "csv" else "x.csv"):
        refused = call("get", "a/b", "-o", tmp_path / f"no-{wrong}")
        assert refused.exit_code == 2
        assert f"another format, but the version is .{name}{suffix}" in refused.output
        assert not (tmp_path / f"no-{wrong}").exists()


def test_what_is_not_what_was_published_is_no_file(configured: Site, tmp_path: Path) -> None:
    publish(configured, "a/b", CSV)
    key = "extracts/a/b.csv.gz"
    head = configured.s3.head_object(Bucket=configured.data.bucket, Key=key)
    forged = gzip.compress(b"forged")
    configured.s3.put_object(
        Bucket=configured.data.bucket, Key=key, Body=forged, Metadata=head["Metadata"]
    )
    (tmp_path / "mine.csv").write_text("mine")
    for name in ("x.csv", "x.csv.gz", "mine.csv"):
        result = call("get", "a/b", "-o", tmp_path / name, "--force")
        assert result.exit_code == 2
        assert "replaced or damaged" in result.output
    assert [each.name for each in tmp_path.iterdir()] == ["mine.csv"]
    assert (tmp_path / "mine.csv").read_text() == "mine"
    assert get(configured, "a/b", "-o", "-").returncode == 2


def test_parts_as_one_file_go_where_one_file_goes(configured: Site, tmp_path: Path) -> None:
    publish(configured, "a/b", SPLIT.format("csv"))
    for name in ("-", "/dev/null"):
        refused = call("get", "a/b", "-o", name)
        assert refused.exit_code == 2
        assert "is published in 3 parts, and" in refused.output
        assert "add --one-file" in refused.output
    done = get(configured, "a/b", "--one-file", "-o", "-")
    assert gzip.decompress(done.stdout).split() == [b"n", b"0", b"1", b"2", b"3", b"4"]
    assert call("get", "a/b", "--one-file", "-o", tmp_path / "x.csv").exit_code == 0
    assert (tmp_path / "x.csv").read_text().split() == ["n", "0", "1", "2", "3", "4"]
    assert call("get", "a/b", "--one-file", "-o", tmp_path / "x.csv").exit_code == 2
    assert call("get", "a/b", "--one-file", "-o", tmp_path).exit_code == 0
    assert gzip.decompress((tmp_path / "b.csv.gz").read_bytes()).split()[0] == b"n"


def test_parts_of_a_version_as_one_file_have_that_versions_format(
    configured: Site, tmp_path: Path
) -> None:
    """Not the one that the header says today."""
    old = publish(configured, "a/b", SPLIT.format("csv"))
    publish(configured, "a/b", SPLIT.format("parquet"))
    arguments = ("get", "a/b", "--version", old, "--one-file", "-o", tmp_path)
    assert call(*arguments).exit_code == 0
    assert [each.name for each in tmp_path.iterdir()] == ["b.csv.gz"]
    done = get(configured, "a/b", "--one-file", "-o", "-")
    assert pq.read_table(io.BytesIO(done.stdout))["n"].to_pylist() == [0, 1, 2, 3, 4]
