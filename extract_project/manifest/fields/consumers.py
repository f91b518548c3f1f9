"""`consumers`: who reads what an extract publishes."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

Consumer = Annotated[str, StringConstraints(pattern=r"^[^\s,]([^,\n\r\t]{0,98}[^\s,])?$")]
"""A name, such as `crm`, `team:billing` or `ana@acme.com`."""
