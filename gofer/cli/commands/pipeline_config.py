"""`gofer pipeline config`: the versions of a pipeline."""

import typer

from gofer.cli.aio import command
from gofer.cli.commands.options import LimitOption, PipelineArgument, VersionArgument, YesOption, group
from gofer.cli.context import cli_of
from gofer.cli.pages import pipeline_must_exist, take
from gofer.cli.prompts import confirm
from gofer.cli.show import damage_fields, show_tasks
from gofer.cli.words import moment, title

app = group("Show the versions of a pipeline, and delete them.")


@app.command("list")
@command
async def list_configs(ctx: typer.Context, pipeline: PipelineArgument, limit: LimitOption = 10) -> None:
    """List the versions of a pipeline, newest first."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    async with cli.client() as client:
        found, cursor = await take(
            lambda count, after: client.pipelines.list_configs(pipeline, limit=count, cursor=after), limit
        )
        if not found:
            await pipeline_must_exist(client, pipeline)
    now, detail = cli.output.now(), cli.output.detail
    cli.output.json(proto.ListPipelineConfigsResponse(configs=found, next_cursor=cursor))
    cli.output.table(
        ("Version", "State", "Tasks", "Registered", "Deprecated"),
        [
            [
                str(each.version),
                title(each.state.name or ""),
                "unreadable" if each.damage else str(len(each.tasks)),
                moment(each.registered, now=now, detail=detail),
                moment(each.deprecated, now=now, detail=detail),
            ]
            for each in found
        ],
    )
    cli.output.more(cursor)


@app.command()
@command
async def get(ctx: typer.Context, pipeline: PipelineArgument, version: VersionArgument) -> None:
    """Show a version of a pipeline with the graph of its tasks."""
    cli = cli_of(ctx)
    output = cli.output
    async with cli.client() as client:
        found = await client.pipelines.get_config(pipeline, version=version)
    now, detail = output.now(), output.detail
    output.json(found)
    output.fields(
        [
            ("Pipeline", found.pipeline),
            ("Version", f"{found.version} ({title(found.state.name or '')})"),
            ("Name", found.name),
            ("Description", found.description or "-"),
            ("Parallelism", str(found.parallelism or "unlimited")),
            *([("Run timeout", found.run_timeout)] if found.run_timeout else []),
            ("Registered", moment(found.registered, now=now, detail=detail)),
            ("Deprecated", moment(found.deprecated, now=now, detail=detail)),
            *damage_fields(found.damage),
        ]
    )
    output.line()
    show_tasks(output, found.tasks)


@app.command()
@command
async def delete(
    ctx: typer.Context, pipeline: PipelineArgument, *, version: VersionArgument, yes: YesOption = False
) -> None:
    """Forget a version that is neither live nor the only one, and that no run was made from."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    confirm(cli.output, f"Version {version} of {pipeline} will be gone.", expected=pipeline, yes=yes)
    async with cli.client() as client:
        await client.pipelines.delete_config(pipeline, version)
    cli.output.json(proto.DeletePipelineConfigResponse())
    cli.output.success(f"deleted version {version} of {pipeline}")
