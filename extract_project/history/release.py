"""A release: a person's decision that a refused result may be published.

Nothing of a refused result is kept, so the extract runs again. Only the checks that refused it may
fail this time; any other failure refuses the result as usual.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Release(BaseModel):
    """The checks that may fail, and who decided it."""

    model_config = ConfigDict(frozen=True)

    of_run: str
    """The Dagster run whose result was refused."""
    checks: tuple[str, ...]
    """Names of the checks that may fail; in a receipt, of those that did."""
    by: str
    reason: str

    @property
    def metadata(self) -> dict[str, str]:
        """The release for the object's metadata, if S3 has room for it."""
        return {"release-of": self.of_run, "released-by": self.by, "release-reason": self.reason}
