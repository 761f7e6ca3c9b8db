"""Jobs: progress, results, failures, cancellation."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from api.bootstrap import utc_now
from api.jobs import routes
from api.jobs.runner import Job, JobRunner, JobState
from gridsvc.errors import Cancelled, EmptySource, IllegalTransition, NotFoundError
from gridsvc.types import Progress


@pytest.fixture
def runner() -> Iterator[JobRunner]:
    found = JobRunner(utc_now)
    yield found
    found.close()


def finished(runner: JobRunner, job: Job) -> Job:
    async def wait() -> Job:
        seen = job
        while not seen.state.over:
            seen = await runner.changes(job.id, seen.version, timeout_s=10)
        return seen

    return asyncio.run(wait())


def test_a_job_reports_and_ends_with_its_result(runner: JobRunner) -> None:
    def work(progress: Progress) -> dict[str, object]:
        progress("reading", 0.5)
        progress("writing", 1.0)
        return {"rows": 3}

    done = finished(runner, runner.submit("import", "x", work))
    assert (done.state, done.result, done.progress) == (JobState.DONE, {"rows": 3}, 1.0)
    assert done.started_at is not None
    assert done.finished_at is not None


def test_a_typed_error_is_kept_and_an_unknown_one_says_nothing(runner: JobRunner) -> None:
    def typed(progress: Progress) -> dict[str, object]:
        raise EmptySource(source="a.shp")

    def secret(progress: Progress) -> dict[str, object]:
        raise RuntimeError("password=hunter2")

    failed = finished(runner, runner.submit("import", "x", typed))
    assert failed.state is JobState.FAILED
    assert isinstance(failed.error, EmptySource)
    crashed = finished(runner, runner.submit("import", "x", secret))
    assert crashed.state is JobState.FAILED
    assert crashed.error is not None
    assert "hunter2" not in crashed.error.text("zh") + crashed.error.text("en")


def test_cancelling_stops_the_work_at_its_next_report(runner: JobRunner) -> None:
    begun, go = threading.Event(), threading.Event()
    kept: list[str] = []

    def work(progress: Progress) -> dict[str, object]:
        begun.set()
        assert go.wait(10)
        progress("second half", 0.5)
        kept.append("must not happen")
        return {}

    job = runner.submit("import", "x", work)
    assert begun.wait(10)
    assert runner.cancel(job.id).state is JobState.CANCELLING
    told = runner.get(job.id)
    assert runner.cancel(job.id) == told
    go.set()
    assert finished(runner, job).state is JobState.CANCELLED
    assert kept == []
    with pytest.raises(IllegalTransition):
        runner.cancel(job.id)


def test_a_queued_job_that_is_cancelled_never_starts(runner: JobRunner) -> None:
    begun, go = threading.Event(), threading.Event()
    started: list[str] = []

    def block(progress: Progress) -> dict[str, object]:
        begun.set()
        assert go.wait(10)
        return {}

    def second(progress: Progress) -> dict[str, object]:
        started.append("second")
        return {}

    runner.submit("a", "a", block)
    assert begun.wait(10)
    job = runner.submit("b", "b", second)
    assert [j.kind for j in runner.list()] == ["b", "a"]
    assert runner.cancel(job.id).state is JobState.CANCELLING
    go.set()
    assert finished(runner, job).state is JobState.CANCELLED
    assert started == []


def test_who_follows_a_job_hears_at_once_that_it_is_being_cancelled(runner: JobRunner) -> None:
    begun, go = threading.Event(), threading.Event()

    def work(progress: Progress) -> dict[str, object]:
        begun.set()
        assert go.wait(10)
        return {"kept": True}

    job = runner.submit("import", "x", work)
    assert begun.wait(10)
    seen = runner.get(job.id).version

    async def follow() -> Job:
        waiting = asyncio.create_task(runner.changes(job.id, seen, timeout_s=10))
        await asyncio.sleep(0)
        runner.cancel(job.id)
        return await waiting

    assert asyncio.run(follow()).state is JobState.CANCELLING
    go.set()
    # Nothing reported any more: the work was over before it heard of the wish.
    assert finished(runner, job).state is JobState.DONE


def test_a_job_never_goes_back_to_an_earlier_state() -> None:
    states = list(JobState)
    for late, state in enumerate(states):
        for early in states[: late + 1]:
            assert not state.before(early)
    assert not JobState.DONE.before(JobState.CANCELLED)
    assert JobState.CANCELLING.before(JobState.DONE)


def test_old_jobs_are_forgotten_but_no_running_one() -> None:
    runner = JobRunner(utc_now, keep=2)
    go = threading.Event()
    # All are there before the first one is over: a finished job may be forgotten at once.
    first = runner.submit("a", "0", lambda progress: {"waited": go.wait(30)})
    jobs = [first, *(runner.submit("a", str(i), lambda progress: {}) for i in range(1, 5))]
    go.set()
    for job in jobs:
        finished(runner, job)
    last = runner.submit("a", "last", lambda progress: {})
    finished(runner, last)
    assert [j.title for j in runner.list()] == ["last", "4", "3"]
    with pytest.raises(NotFoundError):
        runner.get(jobs[0].id)
    runner.close()


def test_what_comes_afterwards_comes_even_when_the_work_never_began() -> None:
    runner = JobRunner(utc_now)
    begun, go = threading.Event(), threading.Event()
    called: list[str] = []

    def slow(progress: Progress) -> dict[str, object]:
        begun.set()
        assert go.wait(30)
        return {}

    runner.submit("import", "first", slow, afterwards=lambda: called.append("first"))
    assert begun.wait(30)
    waiting = runner.submit("import", "second", slow, afterwards=lambda: called.append("second"))
    runner.cancel(waiting.id)
    go.set()
    assert finished(runner, waiting).state is JobState.CANCELLED
    runner.close()
    assert called == ["first", "second"]


def test_stopping_cancels_what_runs_and_what_waits_and_what_comes_later() -> None:
    runner = JobRunner(utc_now)
    begun, go = threading.Event(), threading.Event()

    def slow(progress: Progress) -> dict[str, object]:
        begun.set()
        assert go.wait(30)
        progress("second half", 0.5)
        return {}

    running = runner.submit("import", "first", slow)
    assert begun.wait(30)
    waiting = runner.submit("import", "second", slow)
    runner.stop()
    later = runner.submit("import", "third", slow)
    go.set()
    # Who follows a job is told of its end, also of one that never began.
    for job in (running, waiting, later):
        assert finished(runner, job).state is JobState.CANCELLED
    runner.close()


def test_work_for_waiting_callers_is_done_by_few_at_a_time_and_ends_with_the_service() -> None:
    runner = JobRunner(utc_now, at_once=2)
    lock, go, two = threading.Lock(), threading.Event(), threading.Barrier(3)
    begun: list[int] = []
    outcomes: list[str] = []

    def work(progress: Progress) -> str:
        with lock:
            begun.append(1)
        two.wait(30)
        assert go.wait(30)
        progress("search", 0.5)
        return "done"

    def caller() -> None:
        try:
            outcomes.append(runner.at_once(work))
        except Cancelled:
            outcomes.append("cancelled")

    callers = [threading.Thread(target=caller) for _ in range(3)]
    for thread in callers:
        thread.start()
    two.wait(30)
    assert len(begun) == 2
    runner.stop()
    go.set()
    for thread in callers:
        thread.join(30)
    assert outcomes == ["cancelled"] * 3
    assert len(begun) == 2  # the third one never began
    runner.close()


def test_a_slot_is_free_again_after_a_failure(runner: JobRunner) -> None:
    def fails(progress: Progress) -> None:
        raise EmptySource(source="x")

    for _ in range(5):
        with pytest.raises(EmptySource):
            runner.at_once(fails)
    assert runner.at_once(lambda progress: 7) == 7


def test_followers_are_let_go_when_the_service_ends_and_the_job_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runner = JobRunner(utc_now)
    begun, go = threading.Event(), threading.Event()

    def slow(progress: Progress) -> dict[str, object]:
        begun.set()
        assert go.wait(60)
        progress("second half", 0.5)
        return {}

    job = runner.submit("import", "x", slow)
    assert begun.wait(30)

    async def follow() -> list[bytes]:
        seen: list[bytes] = []
        async for event in routes._events(runner, job.id, "en"):
            if not seen:
                runner.stop()
            seen.append(event)
        return seen

    monkeypatch.setattr(routes, "LAST_S", 0.05)
    monkeypatch.setattr(routes, "LOOK_S", 0.05)
    monkeypatch.setattr(routes, "HEARTBEAT_S", 600.0)
    seen = asyncio.run(asyncio.wait_for(follow(), 60))
    assert seen
    assert b'"state":"cancelled"' not in seen[-1]

    # Where the job ends in time, that is the last thing told.
    monkeypatch.setattr(routes, "LAST_S", 60.0)
    threading.Timer(0.2, go.set).start()
    assert b'"state":"cancelled"' in asyncio.run(asyncio.wait_for(follow(), 60))[-1]
    runner.close()
