"""`gofer pipeline deployment`: which version went live when."""

from typing import TYPE_CHECKING, Annotated

import typer

from gofer.cli.aio import command
from gofer.cli.commands.options import LimitOption, PipelineArgument, group
from gofer.cli.context import cli_of
from gofer.cli.pages import pipeline_must_exist, take
from gofer.cli.states import cell_of
from gofer.cli.tables import Cell
from gofer.cli.words import moment, span, title

if TYPE_CHECKING:
    from gofer_sdk._proto import proto

app = group("Show the deployments of a pipeline.")


@app.command("list")
@command
async def list_deployments(ctx: typer.Context, pipeline: PipelineArgument, limit: LimitOption = 10) -> None:
    """List the deployments of a pipeline, newest first."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    async with cli.client() as client:
        found, cursor = await take(
            lambda count, after: client.pipelines.list_deployments(pipeline, limit=count, cursor=after), limit
        )
        if not found:
            await pipeline_must_exist(client, pipeline)
    now, detail = cli.output.now(), cli.output.detail
    cli.output.json(proto.ListDeploymentsResponse(deployments=found, next_cursor=cursor))
    if not found:
        cli.output.hint(f"no version of {pipeline} was deployed yet: gofer pipeline deploy {pipeline} VERSION")
        return
    cli.output.table(
        ("ID", "Versions", "State", "Started", "Duration"),
        [
            [
                str(each.id),
                _versions(each),
                _state(each),
                moment(each.started, now=now, detail=detail),
                span(each.started, each.ended, now=now),
            ]
            for each in found
        ],
    )
    cli.output.more(cursor)


@app.command()
@command
async def get(
    ctx: typer.Context,
    pipeline: PipelineArgument,
    *,
    deployment: Annotated[int, typer.Argument(metavar="DEPLOYMENT", min=1, help="The deployment's number.")],
) -> None:
    """Show a deployment."""
    cli = cli_of(ctx)
    async with cli.client() as client:
        found = await client.pipelines.get_deployment(pipeline, deployment)
    now, detail = cli.output.now(), cli.output.detail
    reason = found.status_reason.description if found.status_reason else ""
    cli.output.json(found)
    cli.output.fields(
        [
            ("Deployment", str(found.id)),
            ("Pipeline", found.pipeline),
            ("Versions", _versions(found)),
            ("State", _state(found)),
            ("Reason", reason or "-"),
            ("Started", moment(found.started, now=now, detail=detail)),
            ("Duration", span(found.started, found.ended, now=now)),
        ]
    )


def _versions(deployment: "proto.Deployment") -> str:
    """Tell what was live and what is; a first deployment, and one of what is live, start at their own end."""
    if deployment.start_version in {0, deployment.end_version}:
        return str(deployment.end_version)
    return f"{deployment.start_version} to {deployment.end_version}"


def _state(deployment: "proto.Deployment") -> Cell:
    over = deployment.state.name == "COMPLETE"
    return cell_of(title((deployment.status if over else deployment.state).name or ""))
