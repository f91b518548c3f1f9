"""Limits of memory, and results that are refused because they would reach one (G9)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from extract_project.errors import Cause
from extract_project.memory import Room, least_room
from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project_tests.conftest import Site

MIB = 1 << 20
GROUP = "its control group"


def system(root: Path, files: dict[str, str]) -> Path:
    """A file system with these files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_g9_the_smallest_limit_of_nested_control_groups_counts(tmp_path: Path) -> None:
    """Of version 2, with a task's limit around that of its container."""
    group = "sys/fs/cgroup/task/container"
    files = {
        "proc/self/cgroup": "0::/task/container\n",
        f"{group}/memory.max": "max\n",
        f"{group}/memory.current": f"{90 * MIB}\n",
        "sys/fs/cgroup/task/memory.max": f"{512 * MIB}\n",
        "sys/fs/cgroup/task/memory.current": f"{100 * MIB}\n",
        "sys/fs/cgroup/task/memory.stat": f"anon 1\ninactive_file {30 * MIB}\n",
        "proc/meminfo": "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n",
    }
    assert least_room(system(tmp_path, files)) == Room(442 * MIB, 512 * MIB, GROUP)


def test_g9_a_container_of_version_1_has_its_group_at_the_top(tmp_path: Path) -> None:
    top = "sys/fs/cgroup/memory"
    files = {
        "proc/self/cgroup": "9:cpu,cpuacct:/ecs/1\n8:memory:/ecs/1\n",
        f"{top}/memory.limit_in_bytes": f"{1024 * MIB}\n",
        f"{top}/memory.usage_in_bytes": f"{200 * MIB}\n",
        f"{top}/memory.stat": f"total_inactive_file {50 * MIB}\n",
    }
    assert least_room(system(tmp_path, files)) == Room(874 * MIB, 1024 * MIB, GROUP)


def test_g9_the_machine_is_a_limit_too(tmp_path: Path) -> None:
    files = {"proc/meminfo": "MemTotal: 1024 kB\nMemAvailable: 512 kB\n"}
    assert least_room(system(tmp_path, files)) == Room(MIB // 2, MIB, "this machine")


def test_a_system_without_limits_has_none(tmp_path: Path) -> None:
    assert least_room(tmp_path) is None


def refused(site: Site, sql: str, room: int, **settings: str) -> str:
    """The error of a run with so much memory left."""
    site.put_sql("a/warm", "select 1 as i, 'x' as text")
    target = site.target(site.extract("a/b", sql))
    command = [sys.executable, "-m", "extract_project_tests.support.limited"]
    ended = subprocess.run(
        [*command, "a/warm", "a/b", str(room)],
        env={**os.environ, **site.environment, **settings},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told = json.loads(ended.stdout)
    assert told["cause"] == Cause.MEMORY.value
    assert not site.version_ids(target.key)
    assert not site.open_uploads()
    return str(told["text"])


def test_g9_too_many_columns_are_refused_before_the_kernel_kills(site: Site) -> None:
    columns = ", ".join(f"i + {n} as c{n}" for n in range(3_000))
    sql = f"select {columns} from range(3000) t(i)"
    error = refused(site, sql, 500 * MIB)
    assert error.startswith("a result of 3,000 columns takes about 586 MiB, and of the ")
    assert "that 'ulimit -v' allows" in error
    advice = r"give the process (\dGB) \('memory: \1' in the header, .*\), or select fewer columns$"
    assert re.search(advice, error), error


def test_g9_too_long_a_row_is_refused_before_it_is_parsed(
    site: Site, postgres: PostgresWarehouse
) -> None:
    sql = "select n, repeat('0123456789', n * 20000000) as text from generate_series(0, 1) n"
    fields = {"TYPE": "postgres", "HOST": postgres.host, "USER": postgres.user}
    settings = {f"EXTRACT_WAREHOUSES__SHOP__{name}": value for name, value in fields.items()}
    error = refused(site, sql, 850 * MIB, **settings)
    assert error.startswith("row 2 has 190 MiB: reading such a row takes about 572 MiB")
    assert error.endswith("or select less of its longest value")


def test_g9_too_long_a_value_is_refused_before_it_is_written(site: Site) -> None:
    """Behind the first row group, what Parquet's statistics would copy is required as well."""
    text = "case when i = 300000 then repeat('0123456789', i * 10) end as text"
    sql = f"select i, {text} from range(300001) t(i)"
    error = refused(site, sql, 280 * MIB)
    assert error.startswith("column 'text' has 29 MiB in row 300,001: writing such a value takes")
    assert error.endswith("or select less of it")
