"""Whether the code that a fork server has imported is still the code that is installed."""

from __future__ import annotations

import sysconfig
from pathlib import Path

_CODE = Path(__file__).parents[1]
_NOT_PRELOADED = "definitions.py"


def installed_code() -> int:
    """Changes with every change of this project's code, and of the packages beside it."""
    files = [each for each in _CODE.rglob("*.py") if each.name != _NOT_PRELOADED]
    installed = Path(sysconfig.get_path("purelib"))
    return hash(tuple((str(each), each.stat().st_mtime_ns) for each in [installed, *files]))
