"""`gofer up`: register and deploy the pipeline that a folder, file or stream holds."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gofer.cli.aio import ExitStatus, command
from gofer.cli.commands.options import with_parameters
from gofer.cli.context import CliContext, cli_of

if TYPE_CHECKING:
    from gofer.cli.plans import Plan
    from gofer_sdk._proto import proto
    from gofer_sdk.client import GoferClient


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """The options, which are too many for the parameters of one function."""

    deploy: bool
    plan: bool
    force: bool
    lang: str
    timeout: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What was done with a pipeline, as JSON tells it: the pipeline, and which of the two happened."""

    pipeline: "proto.Pipeline"
    registered: bool
    deployed: bool

    def to_dict(self) -> dict[str, object]:
        """Return it as a tree for JSON."""
        return {**self.pipeline.to_dict(), "registered": self.registered, "deployed": self.deployed}


_PATH: Final = typer.Argument(
    metavar="PATH",
    help="A folder or file: a program in Python, Go or Rust, or a ready message, binary or JSON; - is the standard "
    "input.",
)
_PARAMETERS: Final = {
    "path": (str, _PATH, "."),
    "deploy": (
        bool,
        typer.Option("--deploy/--no-deploy", "-d", help="Make the new version the one that runs use."),
        True,
    ),
    "plan": (
        bool,
        typer.Option(
            "--plan", help="Only show what would change against the live version; exit status 10 if anything."
        ),
        False,
    ),
    "force": (bool, typer.Option("--force", "-f", help="Register a new version even if nothing has changed."), False),
    "lang": (
        str,
        typer.Option("--lang", metavar="python|go|rust", help="Which one, where a folder has several."),
        "",
    ),
    "timeout": (
        str,
        typer.Option(
            "--timeout", metavar="DURATION", help="How long the program may take, its build included; 0 is no limit."
        ),
        "10m",
    ),
}


@command
@with_parameters({name: (Annotated[kind, option], default) for name, (kind, option, default) in _PARAMETERS.items()})
async def up(ctx: typer.Context, /, path: str, **options: bool | str) -> None:
    """Register the pipeline that a program describes, and deploy it; what has not changed is not registered again."""
    from gofer.cli.programs import Where, read_config

    cli = cli_of(ctx)
    given = _Options(**options)  # type: ignore[arg-type]  # their types are in _PARAMETERS
    config = await read_config(Where(path=path, language=given.lang, timeout=given.timeout), cli.output)
    async with cli.client() as client:
        if given.plan:
            await _show_plan(client, config, given, cli)
        else:
            await _register(client, config, given, cli)


async def _register(
    client: "GoferClient", config: "proto.UserPipelineConfig", options: _Options, cli: CliContext
) -> None:
    from gofer_sdk._proto import proto

    if options.force:
        registered = await client.pipelines.register(config)
        pipeline, is_same = proto.Pipeline(metadata=registered.metadata, config=registered.config), False
    else:
        reply = await client.pipelines.register_unless_same(config)
        pipeline, is_same = reply.pipeline or proto.Pipeline(), reply.same
    stored = pipeline.config or proto.PipelineConfig()
    output = cli.output
    if is_same:
        output.success(f"{config.id} has not changed: version {stored.version} says the same, nothing was registered")
    else:
        output.success(f"registered {config.id} ({config.name}), version {stored.version}")
    is_live = stored.state is proto.PipelineConfigPipelineConfigState.LIVE
    deployed = False
    try:
        if options.deploy and not is_live:
            await client.pipelines.deploy(config.id, stored.version)
            deployed = True
            output.success(f"deployed version {stored.version}: new runs use it")
    finally:  # what was registered stays, whatever came of the deployment
        output.json(_Outcome(pipeline=pipeline, registered=not is_same, deployed=deployed))
    start, live = f"gofer run start {config.id} --follow", f"gofer pipeline deploy {config.id} {stored.version}"
    output.hint(f"start a run: {start}" if is_live or deployed else f"make it the one that runs use: {live}")


async def _show_plan(
    client: "GoferClient", config: "proto.UserPipelineConfig", options: _Options, cli: CliContext
) -> None:
    from gofer.cli.plans import show_plan

    plan = await _plan(client, config, options)
    show_plan(plan, cli.output)
    if not plan.is_empty:
        raise typer.Exit(ExitStatus.CHANGES)


async def _plan(client: "GoferClient", config: "proto.UserPipelineConfig", options: _Options) -> "Plan":
    from gofer.cli.plans import Plan, changes_between
    from gofer_sdk import errors
    from gofer_sdk._proto import proto

    reply = await client.pipelines.register_unless_same(config, dry_run=True)
    wanted = (reply.pipeline or proto.Pipeline()).config or proto.PipelineConfig()
    try:
        live = await client.pipelines.get_config(config.id)
    except errors.NotFound:
        live = None
    version = wanted.version
    if reply.same and options.force:
        newest = await client.pipelines.list_configs(config.id, limit=1)
        version = max(version, *(each.version for each in newest.items)) + 1
    registers = options.force or not reply.same
    return Plan(
        pipeline=config.id,
        live=live.version if live else 0,
        version=version,
        registers=registers,
        deploys=options.deploy and (registers or live is None or live.version != version),
        changes=changes_between(live, wanted, changed_passwords=reply.changed_passwords),
    )
