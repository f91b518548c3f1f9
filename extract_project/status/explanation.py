"""All that is known of why one extract runs or does not run."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict

from extract_project.status.facts import Facts
from extract_project.status.reason import Kind, Reason, State, state_of
from extract_project.status.reasons import reasons
from extract_project.status.table import next_start


class Explanation(BaseModel):
    """The answer to: why?"""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    extract: str
    state: State
    reasons: tuple[Reason, ...]
    """In order: what concerns the deployment, what happened, what it waits for."""
    next_start: str
    """What makes it run next, in words."""
    next_start_at: AwareDatetime | None
    run_now: str
    """The command that runs it now; empty if nothing can."""


def explain(facts: Facts, path: str, newer: tuple[str, ...] = ()) -> Explanation:
    """Why an extract is in its state.

    `newer` are the files of the manifest, its own or defaults that reach it, that have changed in
    the bucket since the code location was loaded.
    """
    extract = facts.extracts[path]
    found = [*_behind(newer), *reasons(facts, path)]
    return Explanation(
        at=facts.deployment.at,
        extract=path,
        state=state_of(found),
        reasons=tuple(found),
        next_start=next_start(extract, facts.deployment),
        next_start_at=extract.next_tick,
        run_now="" if extract.invalid else f"extract run {path}",
    )


def not_loaded(path: str, error: str, facts_at: AwareDatetime) -> Explanation:
    """The explanation where the code location has no definitions: nothing runs."""
    reason = Reason(
        kind=Kind.NOT_LOADED,
        state=State.OVERDUE,
        what="the code location is not loaded, so nothing can run",
        evidence=error.strip().partition("\n")[0],
        remedy="see the code server's log, fix the fault, then reload the location in the UI",
    )
    return Explanation(
        at=facts_at,
        extract=path,
        state=State.OVERDUE,
        reasons=(reason,),
        next_start="when the code location is loaded",
        next_start_at=None,
        run_now="",
    )


def _behind(newer: tuple[str, ...]) -> list[Reason]:
    if not newer:
        return []
    return [
        Reason(
            kind=Kind.OLDER_MANIFEST,
            state=None,
            what="the bucket has newer SQL than the code location has loaded",
            evidence=", ".join(newer),
            remedy="wait for some seconds: the sensor manifest loads it, if it is on and the "
            "daemon lives; or reload the location in the UI",
        )
    ]
