"""A release: a person's word that a result may be published although it was refused.

Nothing is kept of a refused result, so it has to be made again. Only the checks that refused it
then may fail this time; whatever else is wrong is refused as ever.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Release(BaseModel):
    """What is let through, and on whose word."""

    model_config = ConfigDict(frozen=True)

    of_run: str
    """The Dagster run whose result was refused."""
    checks: tuple[str, ...]
    """Names of the checks that may fail; in a receipt, of those that did."""
    by: str
    reason: str

    @property
    def metadata(self) -> dict[str, str]:
        """What the object itself says, where S3 has room for it."""
        return {"release-of": self.of_run, "released-by": self.by, "release-reason": self.reason}
