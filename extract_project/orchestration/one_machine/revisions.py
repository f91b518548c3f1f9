"""Read the scripts of Alembic once, in the process from which the runs of this machine are forked.

Whenever a process opens Dagster's SQLite storage, Dagster compares its revision with that of the
newest script. Alembic then executes some sixty files, four times for each step: a quarter of the
CPU time of a small one (Dagster 1.13.27, Alembic 1.20).
"""

from __future__ import annotations

from alembic.config import Config
from alembic.script import ScriptDirectory

_OF_DAGSTER = "dagster:_core/storage/alembic"
"""Where the scripts of Dagster's storage are; with another place they are read when first used."""


def remember_revisions() -> None:
    """From now on, read the scripts of one place only once in this process and its forks."""
    read = ScriptDirectory.from_config
    known: dict[str | None, ScriptDirectory] = {}

    def from_config(config: Config) -> ScriptDirectory:
        where = config.get_main_option("script_location")
        if where not in known:
            known[where] = read(config)
        return known[where]

    ScriptDirectory.from_config = from_config  # type: ignore[method-assign]
    scripts = Config()
    scripts.set_main_option("script_location", _OF_DAGSTER)
    from_config(scripts).as_revision_number("head")
