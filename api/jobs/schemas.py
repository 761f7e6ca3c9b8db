"""Jobs as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from api.jobs.runner import Job
from api.problems import problem_document
from api.surfaces import http
from gridsvc.errors import Language
from gridsvc.ways import Speak, spoken_document


class JobView(BaseModel):
    """A job: what it is, how far it is, what came of it."""

    id: str
    kind: str
    title: str
    state: Literal["queued", "running", "cancelling", "done", "failed", "cancelled"]
    stage: str
    progress: float = Field(ge=0, le=1, description="Share done, 0 to 1.")
    version: int = Field(description="Grows with each change.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    result: dict[str, Any] | None = Field(description="What a finished job has made.")
    problem: dict[str, Any] | None = Field(description="Why it failed, as an RFC 9457 problem.")
    links: dict[str, str]


class JobList(BaseModel):
    """Jobs, newest first."""

    jobs: list[JobView]


def job_view(job: Job, language: Language, speak: Speak = http) -> JobView:
    """Return a job as JSON in one language, ways out as a surface calls them."""
    here = f"/api/v1/jobs/{job.id}"
    return JobView(
        id=job.id,
        kind=job.kind,
        title=job.title,
        state=job.state.value,
        stage=job.stage,
        progress=job.progress,
        version=job.version,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        result=spoken_document(job.result, language, speak),
        problem=None
        if job.error is None
        else problem_document(job.error, language, instance=here, speak=speak),
        links={"self": here, "events": f"{here}/events"},
    )
