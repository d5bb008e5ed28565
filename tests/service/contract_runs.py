"""What a client of the 0.6 contract does with runs, and what it relies on in their replies."""

import grpc  # type: ignore[import-untyped]  # it comes without types

from tests.service.contract_client import ContractClient, first_of, has_all, refusal

SECRET = "hunter22-hunter22"
EVERY_BYTE = bytes(range(256))
AT = {"namespace_id": "team", "pipeline_id": "simple"}


def initiator(client: ContractClient) -> object:
    return client.messages.Initiator(type=client.messages.Initiator.HUMAN, name="cli", reason="by hand")


async def run_to_the_end(client: ContractClient) -> None:
    messages = client.messages
    started = (
        await client.call("StartRun", **AT, variables={"GIVEN": "secret{{db}}"}, initiator=initiator(client))
    ).run
    completed = await client.until("RUN_COMPLETED", started.id)
    run = (await client.call("GetRun", **AT, id=started.id)).run
    runs = (await client.call("ListRuns", **AT)).runs

    assert (started.id, started.version, started.state, started.ended) == (1, 1, messages.Run.PENDING, 0)
    assert completed["status"] == "SUCCESSFUL"
    assert (run.state, run.status) == (messages.Run.COMPLETE, messages.Run.SUCCESSFUL)
    assert run.ended >= run.started > 0
    assert has_all(run, ("initiator", "status_reason"))
    assert (run.initiator.type, run.initiator.name) == (messages.Initiator.HUMAN, "cli")
    assert [(each.key, each.value, each.source) for each in run.variables] == [("GIVEN", "secret{{db}}", "RUN_OPTIONS")]
    assert [each.id for each in runs] == [1]


async def look_at_the_tasks(client: ContractClient) -> None:
    messages, at = client.messages, AT | {"run_id": 1}
    first = (await client.call("GetTaskRun", **at, id="first")).task_run
    both = (await client.call("ListTaskRuns", **at)).task_runs
    lines = await client.read("GetTaskRunLogs", **at, id="first")
    await client.call("DeleteTaskRunLogs", **at, id="first")
    removed = (await client.call("GetTaskRun", **at, id="first")).task_run
    gone = await refusal(first_of(client.open("GetTaskRunLogs", **at, id="first")))

    assert has_all(first, ("task", "status_reason"))
    assert (first.task.id, first.run, first.version, first.exit_code) == ("first", 1, 1, 0)
    assert (first.state, first.status) == (messages.TaskRun.COMPLETE, messages.TaskRun.SUCCESSFUL)
    assert first.ended >= first.started >= first.created > 0
    shown = {each.key: each.value for each in first.variables}
    assert (shown["OWN"], shown["WORD"]) == ("secret{{db}}", "pipeline_object{{word}}")
    assert shown["GOFER_API_TOKEN"] == "<injected>"
    assert sorted(each.id for each in both) == ["first", "second"]
    assert [each.line_num for each in lines] == [1, 2]
    assert SECRET not in lines[0].log_line
    assert SECRET[::-1] not in lines[0].log_line
    assert lines[1].log_line == "a word"
    assert not first.logs_removed
    assert removed.logs_removed
    assert gone[0] == "FAILED_PRECONDITION"


async def keep_run_objects(client: ContractClient) -> None:
    at = AT | {"run_id": 1}
    put = await client.call("PutRunObject", **at, key="result", content=EVERY_BYTE)
    again = await client.refused("PutRunObject", **at, key="result", content=b"")
    listed = (await client.call("ListRunObjects", **at)).keys
    found = await client.call("GetRunObject", **at, key="result")
    await client.call("DeleteRunObject", **at, key="result")
    gone = await client.refused("GetRunObject", **at, key="result")

    assert put.bytes == len(EVERY_BYTE)
    assert again[0] == "ALREADY_EXISTS"
    assert [each.key for each in listed] == ["result"]
    assert found.content == EVERY_BYTE
    assert gone[0] == "NOT_FOUND"


async def hold(client: ContractClient) -> int:
    """Start a run whose first task goes on until it is stopped."""
    held = await client.call("StartRun", **AT, variables={"HOLD": "yes"}, initiator=initiator(client))
    await client.until("TASKRUN_STARTED", held.run.id)
    return int(held.run.id)


async def attach(client: ContractClient, run: int) -> None:
    messages = client.messages
    metadata = (("authorization", f"Bearer {client.token}"),)
    terminal = client.stub.AttachToTaskRun(metadata=metadata)
    init = messages.AttachToTaskRunInit(**AT, run_id=run, id="first", command=["/bin/sh"])
    await terminal.write(messages.AttachToTaskRunRequest(init=init))
    typed = messages.AttachToTaskRunInput(input="echo $((6 * 7)) $HOLD; exit\n")
    await terminal.write(messages.AttachToTaskRunRequest(input=typed))
    seen = "".join([reply.output async for reply in terminal])

    assert "42 yes" in seen
    assert await terminal.code() is grpc.StatusCode.OK
    client.answered.add("AttachToTaskRun")


async def attach_and_cancel(client: ContractClient) -> None:
    messages = client.messages
    attached = await hold(client)
    await attach(client, attached)
    await client.call("CancelTaskRun", **AT, run_id=attached, id="first")
    await client.until("RUN_COMPLETED", attached)
    task_run = (await client.call("GetTaskRun", **AT, run_id=attached, id="first")).task_run
    cancelled = await hold(client)
    await client.call("CancelRun", **AT, run_id=cancelled, force=True)
    await client.until("RUN_COMPLETED", cancelled)
    run = (await client.call("GetRun", **AT, id=cancelled)).run
    held = [await hold(client), await hold(client)]
    all_of_them = await client.call("CancelAllRuns", **AT, force=True)
    for each in held:
        await client.until("RUN_COMPLETED", each)

    assert (task_run.state, task_run.status) == (messages.TaskRun.COMPLETE, messages.TaskRun.CANCELLED)
    assert task_run.status_reason.reason == messages.TaskRunStatusReason.CANCELLED
    assert (run.state, run.status) == (messages.Run.COMPLETE, messages.Run.CANCELLED)
    assert run.status_reason.reason == messages.RunStatusReason.USER_CANCELLED
    assert sorted(all_of_them.runs) == held


async def start_again(admin: ContractClient, client: ContractClient) -> None:
    again = (await client.call("RetryRun", **AT, run_id=1)).run
    done = await client.until("RUN_COMPLETED", again.id)
    await admin.call("RepairOrphan", **AT, run_id=1)
    repaired = (await client.call("GetRun", **AT, id=1)).run
    closed = (await admin.call("ToggleEventIngress")).value
    refused = await client.refused("StartRun", **AT, initiator=initiator(client))
    opened = (await admin.call("ToggleEventIngress")).value

    assert again.id > 1
    assert (again.initiator.name, [each.key for each in again.variables]) == ("cli", ["GIVEN"])
    assert done["status"] == "SUCCESSFUL"
    assert repaired.status == client.messages.Run.SUCCESSFUL
    assert (closed, opened) == (True, False)
    assert refused[0] == "FAILED_PRECONDITION"
