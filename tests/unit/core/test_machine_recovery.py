"""What an actor that starts from stored rows is told to do."""

from datetime import timedelta

from gofer.core.resuming import resume, stored_requests
from gofer.core.step import AdoptTask, ArmDeadline, ArmTaskDeadline, StopTask
from tests.factories import NOW
from tests.unit.core.driver import ADMITTED, Driver, cancel, cancel_task, exited, launch, started, stop


def under_way() -> Driver:
    run = Driver({"done": [], "runs": [], "starts": [], "waits": ["runs"]}, deadline=timedelta(hours=1))
    run(ADMITTED, exited("done"), started("runs"))
    return run


def test_resume_takes_up_what_was_committed_and_perhaps_not_done() -> None:
    run = Driver({"starts": [], "runs": [], "stops": [], "killed": [], "done": [], "waits": ["runs"]})
    run(ADMITTED, *(started(each) for each in ("runs", "stops", "killed")), exited("done"))
    run(cancel_task("stops"), cancel_task("killed", force=True))

    assert (
        launch("starts"),
        AdoptTask(task=run.task("runs").id),
        AdoptTask(task=run.task("stops").id),
        stop("stops"),
        AdoptTask(task=run.task("killed").id),
        stop("killed", force=True),
    ) == resume(run.plan, run.reloaded())


def test_resume_arms_the_deadline_until_the_run_is_being_stopped() -> None:
    run = under_way()
    armed = resume(run.plan, run.progress)
    assert run.run.admitted_at is not None

    run(cancel())

    assert ArmDeadline(at=run.run.admitted_at + timedelta(hours=1)) == armed[-1]
    assert {AdoptTask, StopTask} == {type(effect) for effect in resume(run.plan, run.progress)}


def test_resume_arms_the_timeouts_of_the_tasks_that_run_from_their_stored_start() -> None:
    run = Driver({"runs": [], "starts": [], "stops": [], "done": []}, timeout=timedelta(hours=1))
    run(ADMITTED, started("runs", NOW), *(started(each) for each in ("stops", "done")), exited("done"))
    run(cancel_task("stops"))

    armed = [effect for effect in resume(run.plan, run.reloaded()) if isinstance(effect, ArmTaskDeadline)]

    assert [ArmTaskDeadline(task=run.task("runs").id, at=NOW + timedelta(hours=1))] == armed


def test_resume_does_nothing_for_a_run_that_is_queued_or_has_ended() -> None:
    run = Driver({"runs": []}, deadline=timedelta(hours=1))
    queued = resume(run.plan, run.progress)
    run(ADMITTED, exited("runs"))

    assert () == queued == resume(run.plan, run.progress)


def test_stored_requests_are_those_that_may_not_be_applied_yet() -> None:
    run = Driver({"runs": [], "waits": ["runs"], "stops": [], "killed": [], "done": []})
    run(ADMITTED, exited("done"), cancel_task("stops"), cancel_task("killed"))
    assert () == stored_requests(run.progress)

    asked = [run.ask(task=each) for each in ("runs", "waits", "done")]
    forced = run.ask(task="killed", force=True)

    assert [("runs", asked[0]), ("waits", asked[1]), ("killed", forced)] == [
        (getattr(signal, "task", ""), getattr(signal, "request", None)) for signal in stored_requests(run.progress)
    ]


def test_a_stored_cancel_of_a_run_is_posted_until_it_is_applied_and_again_with_force() -> None:
    run = under_way()
    gentle = run.ask()
    before = stored_requests(run.progress)
    run(*before)
    applied = stored_requests(run.progress)
    forced = run.ask(force=True)
    [escalated] = stored_requests(run.progress)

    step = run(escalated)

    assert [gentle, forced] == [getattr(each, "request", None) for each in (*before, escalated)]
    assert () == applied
    assert (stop("runs", force=True), stop("starts", force=True)) == step.effects


def test_tasks_that_are_stopped_with_their_run_are_not_asked_one_by_one() -> None:
    run = under_way()
    forced = run.ask(force=True)

    run(*stored_requests(run.progress))

    assert [forced, forced] == [run.task(each).stop_request for each in ("runs", "starts")]
    assert 1 == len(stored_requests(run.progress))


def test_what_is_stopped_by_force_already_is_not_asked_again() -> None:
    run = Driver({"one": [], "two": [], "three": []})
    run(ADMITTED)
    run(*(cancel_task(each, force=True) for each in ("one", "two")))
    run.ask(task="three", force=True)

    waiting = stored_requests(run.progress, begun={stop("one", force=True), stop("two", force=True)})
    run(*waiting)
    run.ask(force=True)
    begun = {stop(each, force=True) for each in ("one", "two", "three")}
    of_run = stored_requests(run.progress, begun=begun)
    run(*of_run)

    assert ["three"] == [getattr(signal, "task", "") for signal in waiting]
    assert 1 == len(of_run)
    assert () == stored_requests(run.progress, begun=begun)
    assert of_run[0] in stored_requests(run.progress, begun=begun - {stop("two", force=True)})


def test_a_run_that_has_ended_has_no_requests_to_apply() -> None:
    run = Driver({"runs": []})
    run(ADMITTED, exited("runs"))
    run.ask()

    assert () == stored_requests(run.progress)
