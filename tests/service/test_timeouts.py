"""Timeouts on the wire, from the registration to the end of the run."""

from dataclasses import replace

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from gofer.config.settings import SchedulerSettings, Settings
from gofer_sdk._proto import proto
from tests.service.wire import CLI, config, deploy, ended, register, task

HOLD = {"GOFER_MEMORY_HOLD": "true"}


async def up(stub: proto.GoferStub, *tasks: proto.UserPipelineTaskConfig, run_timeout: str = "") -> None:
    wanted = config(*tasks)
    wanted.run_timeout = run_timeout
    reply = await stub.register_pipeline_config(proto.RegisterPipelineConfigRequest(pipeline_config=wanted))
    assert reply.pipeline is not None
    assert reply.pipeline.config is not None
    await deploy(stub, reply.pipeline.config.version)


def timed(timeout: str, **variables: str) -> proto.UserPipelineTaskConfig:
    found = task("work", variables=variables)
    found.timeout = timeout
    return found


async def start(stub: proto.GoferStub, run_timeout: str = "") -> proto.Run:
    request = proto.StartRunRequest(pipeline_id="simple", initiator=CLI, timeout=run_timeout)
    run = (await stub.start_run(request)).run
    assert run is not None
    return run


async def work_of(stub: proto.GoferStub, *, run: int = 1) -> proto.TaskRun:
    found = (await stub.get_task_run(proto.GetTaskRunRequest(pipeline_id="simple", run_id=run, id="work"))).task_run
    assert found is not None
    return found


async def test_timeouts_are_shown_as_they_were_registered(stub: proto.GoferStub) -> None:
    await up(stub, timed("90m"), run_timeout="8h")

    reply = await stub.get_pipeline_config(proto.GetPipelineConfigRequest(pipeline_id="simple"))

    assert reply.config is not None
    assert (reply.config.run_timeout, reply.config.tasks["work"].timeout) == ("8h0m0s", "1h30m0s")


async def test_wrong_timeouts_are_refused_with_all_faults(stub: proto.GoferStub) -> None:
    wanted = config(timed("soon"))
    wanted.run_timeout = "-1s"

    with pytest.raises(GRPCError) as refused:
        await stub.register_pipeline_config(proto.RegisterPipelineConfigRequest(pipeline_config=wanted))

    assert refused.value.status is Status.INVALID_ARGUMENT
    assert "run timeout of -1s is not allowed" in (refused.value.message or "")
    assert "its timeout: 'soon' is not a duration" in (refused.value.message or "")


@pytest.mark.parametrize(("given", "shown"), [("", "8h0m0s"), ("1h", "1h0m0s"), ("0", "")])
async def test_a_run_has_the_timeout_of_its_version_unless_it_is_given_another(
    stub: proto.GoferStub, given: str, shown: str
) -> None:
    await up(stub, task("work"), run_timeout="8h")

    run = await start(stub, given)

    assert (run.timeout, (await ended(stub, run)).timeout) == (shown, shown)


@pytest.mark.parametrize(("given", "shown"), [("", "9h0m0s"), ("1h", "1h0m0s"), ("0", "")])
async def test_a_retry_has_what_the_old_run_was_given_else_what_its_version_says(
    stub: proto.GoferStub, given: str, shown: str
) -> None:
    await up(stub, task("work"), run_timeout="8h")
    await start(stub, given)
    await up(stub, task("work"), run_timeout="9h")

    reply = await stub.retry_run(proto.RetryRunRequest(pipeline_id="simple", run_id=1))

    assert reply.run is not None
    assert reply.run.timeout == shown


async def test_a_wrong_timeout_of_a_run_is_refused(stub: proto.GoferStub) -> None:
    await register(stub, task("work"))
    await deploy(stub)

    with pytest.raises(GRPCError, match="timeout: 'soon' is not a duration") as refused:
        await start(stub, "soon")

    assert refused.value.status is Status.INVALID_ARGUMENT


async def test_what_timed_out_says_so_beside_the_nearest_older_reason(stub: proto.GoferStub) -> None:
    await up(stub, timed("1ms", **HOLD))

    run = await ended(stub, await start(stub))
    work = await work_of(stub)

    assert (run.status, work.status) == (proto.RunRunStatus.FAILED, proto.TaskRunTaskRunStatus.FAILED)
    assert work.status_reason == proto.TaskRunStatusReason(
        reason=proto.TaskRunStatusReasonReason.ABNORMAL_EXIT,
        description="the task ran longer than its timeout of 1ms",
        code="timed_out",
    )


async def test_a_run_that_timed_out_says_so(stub: proto.GoferStub) -> None:
    await up(stub, task("work", variables=HOLD))

    run = await ended(stub, await start(stub, "1ms"))

    assert run.status_reason == proto.RunStatusReason(
        reason=proto.RunStatusReasonRunStatusReasonKind.ABNORMAL_EXIT,
        description="the run took longer than its timeout of 1ms",
        code="timed_out",
    )
    assert (await work_of(stub)).status_reason == proto.TaskRunStatusReason(
        reason=proto.TaskRunStatusReasonReason.ABNORMAL_EXIT,
        description="the run took longer than its timeout of 1ms",
        code="timed_out",
    )


class TestProcesses:
    """The same on the engine `process`."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, scheduler=SchedulerSettings(engine="process"))

    @pytest.mark.timeout(90)
    async def test_a_process_that_runs_longer_than_its_timeout_is_ended(self, stub: proto.GoferStub) -> None:
        for timeout in ("100ms", "2s", "20s"):
            stubborn = timed(timeout)
            stubborn.command = ["/bin/sh", "-c", "trap '' TERM; while true; do sleep 0.05; done"]
            await up(stub, stubborn)

            run = await ended(stub, await start(stub))
            work = await work_of(stub, run=run.id)

            assert run.status == proto.RunRunStatus.FAILED
            assert work.status_reason is not None
            assert work.status_reason.code == "timed_out"
            if work.exit_code != 143:  # else a machine was too busy to start it in that time, and gets more
                assert work.exit_code == 137
                assert work.ended - work.started >= 1100
                return
        raise AssertionError("it ended at once, however long it had had")
