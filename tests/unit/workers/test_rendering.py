"""What comes into the place of references, and what is said where it can't be had."""

import pytest

from gofer.core.errors import EngineUnavailable, NotFound
from gofer.core.ids import RunKey
from gofer.core.pipeline import Task
from gofer.core.run import Reason, ReasonCode, Run
from gofer.core.secret import Secret
from gofer.workers.rendering import Rendering, Unrenderable
from gofer_sdk.rules.references import ReferenceKind
from tests.factories import make_run, make_task


async def of_pipeline(run: RunKey, key: str) -> Secret | str:
    if key == "unknown":
        raise NotFound("the pipeline has no such secret")
    return Secret(f"{run} {key}")


async def plain(run: RunKey, key: str) -> Secret | str:
    return f"content of {key}"


async def nowhere(run: RunKey, key: str) -> Secret | str:
    raise EngineUnavailable("the store is away")


RENDERING = Rendering(
    {
        ReferenceKind.PIPELINE_SECRET: of_pipeline,
        ReferenceKind.PIPELINE_OBJECT: plain,
        ReferenceKind.GLOBAL_SECRET: nowhere,
    }
)


async def reason(task: Task, run: Run | None = None, rendering: Rendering = RENDERING) -> Reason:
    with pytest.raises(Unrenderable) as refused:
        await rendering.render(run or make_run(), task)
    return refused.value.reason


async def test_references_of_the_config_become_what_they_stand_for() -> None:
    task = make_task(variables={"A": "secret{{a}}", "B": "pipeline_object{{b}}", "C": "c"})

    found = await RENDERING.render(make_run(7), task)

    assert {"A": "default/simple/7 a", "B": "content of b", "C": "c"} == {key: found.environment[key] for key in "ABC"}
    assert (Secret("default/simple/7 a"),) == found.secrets
    assert "default/simple/7 a" not in repr(found)


async def test_a_value_given_for_one_run_stays_as_it_is() -> None:
    """Else the sender of a webhook could read secrets."""
    run = make_run(variables={"A": "secret{{a}}", "B": "global_secret{{root}}"})

    found = await RENDERING.render(run, make_task(variables={"A": "secret{{a}}"}))

    assert ("secret{{a}}", "global_secret{{root}}") == (found.environment["A"], found.environment["B"])
    assert () == found.secrets


async def test_what_can_not_be_had_is_told_with_every_variable_and_key_and_no_value() -> None:
    task = make_task(variables={"A": "secret{{unknown}}", "B": "secret{{b}}", "C": "secret{unknown}", "D": "hunter22"})

    found = await reason(task, make_run(variables={"OTHER": "hunter23"}))

    assert ReasonCode.REFERENCE_UNRESOLVED is found.code
    assert (
        "variable 'A' refers to the pipeline secret 'unknown': the pipeline has no such secret; "
        "variable 'C' refers to the pipeline secret 'unknown': the pipeline has no such secret"
    ) == found.description


async def test_a_kind_without_a_resolver_is_refused() -> None:
    task = make_task(variables={"A": "run_object{{out}}", "B": "secret{{b}}"})

    found = await reason(task)

    assert ReasonCode.NOT_DUE_YET is found.code
    assert "variable 'A' refers to the run object 'out', and this server can't resolve such references yet" == (
        found.description
    )


async def test_without_resolvers_everything_is_refused() -> None:
    found = await reason(make_task(variables={"A": "secret{{a}}"}), rendering=Rendering({}))

    assert ReasonCode.NOT_DUE_YET is found.code


async def test_a_store_that_is_away_is_no_reason_to_fail() -> None:
    with pytest.raises(EngineUnavailable):
        await RENDERING.render(make_run(), make_task(variables={"A": "secret{{unknown}}", "B": "global_secret{{b}}"}))
