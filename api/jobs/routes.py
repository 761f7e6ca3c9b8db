"""Long work: list, one, events, cancel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import StreamingResponse

from api.dependencies import LanguageDep
from api.jobs.runner import JobRunner
from api.jobs.schemas import JobList, JobView, job_view
from api.languages import surface_of
from api.problems import problem_responses
from gridsvc.errors import IllegalTransition, Language, NotFoundError
from gridsvc.ways import Speak

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs 任务"])
HEARTBEAT_S = 15.0
LOOK_S = 1.0
# When the service ends, whoever follows a job is told of its end if that comes so soon.
LAST_S = 3.0


def runner_of(request: Request) -> JobRunner:
    """Return the application's job runner."""
    runner: JobRunner = request.app.state.jobs
    return runner


SurfaceDep = Annotated[Speak, Depends(surface_of)]
RunnerDep = Annotated[JobRunner, Depends(runner_of)]


@router.get("", responses=problem_responses())
def list_jobs(runner: RunnerDep, language: LanguageDep, speak: SurfaceDep) -> JobList:
    """List the jobs of this process, newest first."""
    return JobList(jobs=[job_view(job, language, speak) for job in runner.list()])


@router.get("/{job_id}", responses=problem_responses(NotFoundError))
def get_job(job_id: str, runner: RunnerDep, language: LanguageDep, speak: SurfaceDep) -> JobView:
    """Return one job with its progress."""
    return job_view(runner.get(job_id), language, speak)


@router.delete("/{job_id}", responses=problem_responses(NotFoundError, IllegalTransition))
def cancel_job(job_id: str, runner: RunnerDep, language: LanguageDep, speak: SurfaceDep) -> JobView:
    """Cancel a job; nothing of its work is kept."""
    return job_view(runner.cancel(job_id), language, speak)


@router.get(
    "/{job_id}/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events named `job`, each with the job as JSON; the stream "
            "ends with the job.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **problem_responses(NotFoundError),
    },
)
def job_events(job_id: str, runner: RunnerDep, language: LanguageDep) -> StreamingResponse:
    """Follow a job's progress (server-sent events)."""
    runner.get(job_id)
    return StreamingResponse(
        _events(runner, job_id, language),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(runner: JobRunner, job_id: str, language: Language) -> AsyncIterator[bytes]:
    seen, silent_s = 0, 0.0
    while True:
        ending = runner.stopping
        job = await runner.changes(job_id, seen, timeout_s=LAST_S if ending else LOOK_S)
        if job.version == seen:
            if ending:
                return
            silent_s += LOOK_S
            if silent_s >= HEARTBEAT_S:
                silent_s = 0.0
                yield b": still here\n\n"
            continue
        silent_s = 0.0
        seen = job.version
        text = job_view(job, language).model_dump_json()
        yield f"id: {seen}\nevent: job\ndata: {text}\n\n".encode()
        if job.state.over:
            return
