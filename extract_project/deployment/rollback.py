"""The job of a deployment that makes an old version current again."""

from __future__ import annotations

from typing import Any

from extract_project.publish.rollback import Order

JOB, OP = "rollback_extract", "restore_version"


def rollback_config(
    extract: str, partition: str | None, order: Order, *, to: str | None = None
) -> dict[str, Any]:
    """The run config of the job."""
    config = {
        "extract": extract,
        "version": order.version_id,
        "reason": order.reason,
        "by": order.by,
        **({"partition": partition} if partition else {}),
        **({"to": to} if to else {}),
    }
    return {"ops": {OP: {"config": config}}}
