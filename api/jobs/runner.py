"""Long work in threads, with progress, cancellation and a record of what came of it.

Jobs live in the memory of one process: they are the progress of work, not its result. What a job
has done is in the database (a batch, a plan), all of it or nothing; after a restart the list of
jobs is empty and nothing half done is left behind.
"""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

import structlog

from api.problems import InternalError
from gridsvc.errors import Cancelled, GridsvcError, IllegalTransition, NotFoundError
from gridsvc.types import Clock, Progress

log = structlog.get_logger("gridsvc.jobs")


class JobState(StrEnum):
    """Life of a job, in the order in which it goes on."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)

    def before(self, other: JobState) -> bool:
        """Whether a job in this state can get into the other one."""
        known = list(JobState)
        return not self.over and known.index(self) < known.index(other)


Work = Callable[[Progress], dict[str, Any]]
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Job:
    """A snapshot of one job; ``version`` grows with each change, ``progress`` runs from 0 to 1."""

    id: str
    kind: str
    title: str
    created_at: datetime
    state: JobState = JobState.QUEUED
    stage: str = ""
    progress: float = 0.0
    version: int = 1
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: dict[str, Any] | None = None
    error: GridsvcError | None = None


@dataclass(slots=True)
class _Entry:
    job: Job
    stop: threading.Event = field(default_factory=threading.Event)
    listeners: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = field(default_factory=list)


class JobRunner:
    """Runs work in a few threads and remembers the latest jobs.

    Parameters
    ----------
    clock : callable
        Present instant.
    workers : int
        Jobs that run at the same time.
    keep : int
        Finished jobs remembered.
    at_once : int
        Callers for whom ``at_once`` works at the same time; the others wait.
    """

    def __init__(
        self, clock: Clock, *, workers: int = 1, keep: int = 200, at_once: int = 2
    ) -> None:
        self._clock = clock
        self._keep = keep
        self._slots = threading.BoundedSemaphore(at_once)
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="gridsvc-job")
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def submit(
        self,
        kind: str,
        title: str,
        work: Work,
        *,
        afterwards: Callable[[], None] | None = None,
    ) -> Job:
        """Queue work and return its job.

        ``work`` gets a progress callback that raises ``Cancelled`` once the job was cancelled,
        and returns the document that becomes ``result``. ``afterwards`` is called however the
        job ends, also when it was cancelled before it began.
        """
        entry = _Entry(Job(uuid.uuid4().hex, kind, title, self._clock()))
        with self._lock:
            if self._stopping.is_set():
                entry.stop.set()
            self._entries[entry.job.id] = entry
            self._forget()
        future = self._pool.submit(self._run, entry, work)
        if afterwards is not None:
            tidy = afterwards
            future.add_done_callback(lambda _: tidy())
        return entry.job

    def at_once(self, work: Callable[[Progress], Answer]) -> Answer:
        """Do seconds of work for a caller who waits for the answer, in the caller's thread.

        For what is too heavy for many at a time and too short for a job: a few callers at once,
        and nobody past the end of the service.

        Raises
        ------
        Cancelled
            At the next report after ``stop``.
        """

        def report(stage: str, done: float) -> None:
            if self._stopping.is_set():
                raise Cancelled

        while not self._slots.acquire(timeout=0.2):
            report("", 0.0)
        try:
            report("", 0.0)
            return work(report)
        finally:
            self._slots.release()

    def get(self, job_id: str) -> Job:
        """Return the present state of a job. Raises ``NotFoundError``."""
        return self._entry(job_id).job

    @property
    def stopping(self) -> bool:
        """Whether the service ends."""
        return self._stopping.is_set()

    def list(self) -> list[Job]:
        """Return the jobs, newest first."""
        with self._lock:
            return [entry.job for entry in reversed(self._entries.values())]

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop; it keeps nothing of its work.

        Until the work has heard of it, at its next report, the job is ``cancelling``.

        Raises
        ------
        NotFoundError
        IllegalTransition
            If it is over already.
        """
        entry = self._entry(job_id)
        with self._lock:
            if entry.job.state.over:
                raise IllegalTransition(
                    kind="job", key=job_id, current=entry.job.state.value, target="cancelled"
                )
            entry.stop.set()
        self._change(entry, state=JobState.CANCELLING)
        return entry.job

    async def changes(self, job_id: str, seen: int, *, timeout_s: float) -> Job:
        """Wait until a job has a version other than ``seen``, at most ``timeout_s`` seconds."""
        entry = self._entry(job_id)
        event = asyncio.Event()
        listener = (asyncio.get_running_loop(), event)
        with self._lock:
            entry.listeners.append(listener)
        try:
            if entry.job.version == seen:
                await asyncio.wait_for(event.wait(), timeout_s)
        except TimeoutError:
            pass
        finally:
            with self._lock:
                entry.listeners.remove(listener)
        return entry.job

    def stop(self) -> None:
        """Ask everything that runs or waits to stop, and take no more."""
        with self._lock:
            self._stopping.set()
            entries = list(self._entries.values())
            for entry in entries:
                entry.stop.set()
        for entry in entries:
            self._change(entry, state=JobState.CANCELLING)

    def close(self) -> None:
        """Cancel what runs and wait for it."""
        self.stop()
        self._pool.shutdown(wait=True)

    def _entry(self, job_id: str) -> _Entry:
        with self._lock:
            found = self._entries.get(job_id)
        if found is None:
            raise NotFoundError(kind="job", key=job_id)
        return found

    def _forget(self) -> None:
        over = [key for key, entry in self._entries.items() if entry.job.state.over]
        for key in over[: max(0, len(over) - self._keep)]:
            del self._entries[key]

    def _change(self, entry: _Entry, **changes: Any) -> None:
        """Put new values into a job; its state never goes back."""
        with self._lock:
            state = changes.get("state")
            if state is not None and not entry.job.state.before(state):
                del changes["state"]
            if not changes:
                return
            entry.job = replace(entry.job, version=entry.job.version + 1, **changes)
            listeners = list(entry.listeners)
        for loop, event in listeners:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def _run(self, entry: _Entry, work: Work) -> None:
        def report(stage: str, done: float) -> None:
            if entry.stop.is_set():
                raise Cancelled
            share = min(max(float(done), 0.0), 1.0)
            if stage != entry.job.stage or share - entry.job.progress >= 0.005 or share == 1.0:
                self._change(entry, stage=stage, progress=share)

        job = entry.job
        self._change(entry, state=JobState.RUNNING, started_at=self._clock())
        try:
            report("", 0.0)
            result = work(report)
        except Cancelled:
            self._over(entry, JobState.CANCELLED)
        except GridsvcError as error:
            log.info("job failed", job=job.id, kind=job.kind, error=type(error).__name__)
            self._over(entry, JobState.FAILED, error=error)
        except Exception:
            # The thread's end: whoever asks for the job learns that it failed, the log has why.
            log.exception("job crashed", job=job.id, kind=job.kind)
            self._over(entry, JobState.FAILED, error=InternalError())
        else:
            self._over(entry, JobState.DONE, result=result, progress=1.0)

    def _over(self, entry: _Entry, state: JobState, **changes: Any) -> None:
        self._change(entry, state=state, finished_at=self._clock(), **changes)
