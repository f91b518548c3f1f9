"""What every warehouse must do alike, as tests for whoever writes one.

`suite` has the tests, which need pytest, and `rig` says what they need of a warehouse. Nothing that
runs in production imports this package.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(f"{__name__}.suite")
