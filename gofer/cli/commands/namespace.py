"""`gofer namespace`: the folders that pipelines live in."""

from typing import Annotated, TypeAlias

import typer

from gofer.cli.aio import command
from gofer.cli.commands.options import LimitOption, NoWaitOption, YesOption, group
from gofer.cli.context import cli_of
from gofer.cli.pages import take
from gofer.cli.prompts import confirm
from gofer.cli.words import moment
from gofer_sdk.rules.ids import fault_of_id

app = group("Make, show, choose and delete namespaces.")

NamespaceArgument: TypeAlias = Annotated[str, typer.Argument(metavar="NAMESPACE", help="The namespace's id.")]


@app.command()
@command
async def create(
    ctx: typer.Context,
    namespace: NamespaceArgument,
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it.")],
    description: Annotated[str, typer.Option("--description", "-d", help="For people; any text.")] = "",
) -> None:
    """Make a namespace."""
    cli = cli_of(ctx)
    async with cli.client() as client:
        made = await client.namespaces.create(namespace, name=name, description=description)
    cli.output.json(made)
    cli.output.success(f"made the namespace {made.id} ({made.name})")


@app.command("list")
@command
async def list_namespaces(ctx: typer.Context, limit: LimitOption = 10) -> None:
    """List the namespaces that you may see."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    async with cli.client() as client:
        found, cursor = await take(lambda count, after: client.namespaces.list(limit=count, cursor=after), limit)
    now = cli.output.now()
    cli.output.json(proto.ListNamespacesResponse(namespaces=found, next_cursor=cursor))
    cli.output.table(
        ("ID", "Name", "Created", "Description"),
        [
            [each.id, each.name, moment(each.created, now=now, detail=cli.output.detail), each.description]
            for each in found
        ],
    )
    cli.output.more(cursor)


@app.command()
@command
async def get(ctx: typer.Context, namespace: NamespaceArgument) -> None:
    """Show a namespace."""
    cli = cli_of(ctx)
    async with cli.client() as client:
        found = await client.namespaces.get(namespace)
    now, detail = cli.output.now(), cli.output.detail
    cli.output.json(found)
    cli.output.fields(
        [
            ("ID", found.id),
            ("Name", found.name),
            ("Description", found.description or "-"),
            ("Created", moment(found.created, now=now, detail=detail)),
            ("Changed", moment(found.modified, now=now, detail=detail)),
            *([("State", "being deleted")] if found.deleting else []),
        ]
    )


@app.command()
@command
async def update(
    ctx: typer.Context,
    namespace: NamespaceArgument,
    *,
    name: Annotated[str | None, typer.Option("--name", "-n", help="What people call it.")] = None,
    description: Annotated[str | None, typer.Option("--description", "-d", help="For people; any text.")] = None,
) -> None:
    """Change the name or the description of a namespace; what is left out stays."""
    cli = cli_of(ctx)
    if name is None and description is None:
        raise typer.BadParameter("there is nothing to change: give --name or --description")
    async with cli.client() as client:
        found = await client.namespaces.get(namespace)
        await client.namespaces.update(
            namespace,
            name=found.name if name is None else name,
            description=found.description if description is None else description,
        )
        changed = await client.namespaces.get(namespace)
    cli.output.json(changed)
    cli.output.success(f"changed the namespace {changed.id} ({changed.name})")


@app.command()
@command
async def delete(
    ctx: typer.Context, namespace: NamespaceArgument, *, yes: YesOption = False, no_wait: NoWaitOption = False
) -> None:
    """Delete a namespace with all its pipelines, as `pipeline delete` does."""
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    confirm(cli.output, f"The namespace {namespace} will be gone, with all its pipelines.", expected=namespace, yes=yes)
    async with cli.client() as client:
        if not no_wait:
            cli.output.hint("waiting for its runs to end; whatever becomes of this command, the server goes on")
        await client.namespaces.delete(namespace, wait=not no_wait)
    cli.output.json(proto.DeleteNamespaceResponse())
    cli.output.success(f"{namespace} is being deleted" if no_wait else f"deleted the namespace {namespace}")


@app.command("set")
@command
async def set_namespace(ctx: typer.Context, namespace: NamespaceArgument) -> None:
    """Make a namespace the usual one of this command line, in its configuration file."""
    import asyncio

    from gofer.config.client_file import set_entry
    from gofer_sdk._proto import proto

    cli = cli_of(ctx)
    fault = fault_of_id(namespace, "namespace")
    if fault:
        raise typer.BadParameter(fault)
    path = cli.config_path_to_write
    await asyncio.to_thread(set_entry, path, "namespace", namespace)
    cli.output.json(proto.Namespace(id=namespace))
    cli.output.success(f"{namespace} is the usual namespace now, by {path}")
    if cli.flags.namespace or cli.environment.get("GOFER_CLI_NAMESPACE"):
        cli.output.warning("a --namespace or GOFER_CLI_NAMESPACE that is given beats the file")
