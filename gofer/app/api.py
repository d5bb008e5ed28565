"""The API: every service behind its handlers, and the listeners before them."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from gofer import __version__
from gofer.api.caller import TokenCheck
from gofer.api.composite import Composite
from gofer.api.handlers.attachments import AttachmentHandlers
from gofer.api.handlers.events import EventHandlers
from gofer.api.handlers.health import Health
from gofer.api.handlers.namespaces import NamespaceHandlers
from gofer.api.handlers.not_due import NotDueHandlers
from gofer.api.handlers.objects import ObjectHandlers
from gofer.api.handlers.pipelines import PipelineHandlers
from gofer.api.handlers.reflection import Reflection
from gofer.api.handlers.runs import RunHandlers
from gofer.api.handlers.secrets import SecretHandlers
from gofer.api.handlers.system import SystemHandlers
from gofer.api.handlers.task_runs import TaskRunHandlers
from gofer.api.handlers.tokens import TokenHandlers
from gofer.api.kept import KeptReplies
from gofer.api.listeners import Listeners, callback_address
from gofer.api.server import ApiServer
from gofer.app.base import Base, objects_of, shutdown_share
from gofer.commit import COMMIT
from gofer.config.settings import MIB, Settings
from gofer.services.attachments import Attachments
from gofer.services.deletion import Deletion
from gofer.services.events import Events
from gofer.services.global_secrets import GlobalSecrets
from gofer.services.ingress import Ingress
from gofer.services.injected_tokens import Callback
from gofer.services.masks import NeededBlobs
from gofer.services.namespaces import Namespaces
from gofer.services.pipelines import Pipelines
from gofer.services.rotation import KeyRotation
from gofer.services.runs import Runs
from gofer.services.secrets import PipelineSecrets
from gofer.services.stopping import Stopping
from gofer.services.system import System, SystemInfo
from gofer.services.task_runs import TaskRuns
from gofer.services.tokens import Tokens
from gofer.tls import ServerTls, certificates_of, server_context
from gofer.workers.own_engine import engine_notes


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The API, as it is listened to."""

    server: ApiServer
    tls: ServerTls
    base: Base

    async def reload_certificate(self, settings: Settings) -> None:
        """Show the certificate of `settings` to new connections, and give it to new tasks to trust.

        Connections that are open go on. Raises `FailedPrecondition` where it can't be used; then nothing changes.
        """
        self.tls.replace(await asyncio.to_thread(server_context, settings, now=self.base.clock.now()))
        await self.tell_tasks(settings)

    async def tell_tasks(self, settings: Settings) -> None:
        """Tell where tasks reach the API, and whom they trust there."""
        base = self.base
        host = callback_address(base.settings, self.server.address, isolated=base.engine.capabilities.isolates)
        tls_ca = await asyncio.to_thread(certificates_of, settings)
        base.injected.listening(Callback(host=str(host), tls_ca=tls_ca))


async def serve_api(stack: AsyncExitStack, base: Base) -> Served:
    """Listen, and answer until the stack closes."""
    tls = ServerTls(await asyncio.to_thread(server_context, base.settings, now=base.clock.now()))
    listeners = Listeners(
        services=(_api(base), Health(), Reflection()),
        tokens=TokenCheck(database=base.database, known=base.known_tokens, clock=base.clock),
        settings=base.settings,
        tls=tls.context,
        drain_grace=shutdown_share(base.settings, 5),
    )
    served = Served(server=await listeners.open(stack), tls=tls, base=base)
    await served.tell_tasks(base.settings)
    return served


def _api(base: Base) -> Composite:
    limit = base.settings.server.storage_results_limit
    database = base.database
    pipelines = Pipelines(database=database, sealer=base.sealer, version_limit=base.settings.pipeline_version_limit)
    ingress = Ingress(is_open=not base.settings.ignore_pipeline_run_events, gate=base.gate)
    deletion = Deletion(database=database, bus=base.bus, clock=base.clock)
    runs = Runs(database=database, ingress=ingress, clock=base.clock)
    kept = KeptReplies(changes=lambda: database.changes)
    return Composite(
        AttachmentHandlers(attachments=_attachments(base)),
        EventHandlers(events=Events(database=database, bus=base.bus)),
        NamespaceHandlers(namespaces=Namespaces(database=database), deletion=deletion, results_limit=limit),
        NotDueHandlers(),
        ObjectHandlers(objects=objects_of(base), most_bytes_at_once=base.settings.max_message_bytes - MIB),
        PipelineHandlers(pipelines=pipelines, deletion=deletion, kept=kept, results_limit=limit),
        RunHandlers(runs=runs, kept=kept, engine=base.engine.name, results_limit=limit),
        _secret_handlers(base),
        SystemHandlers(
            system=System(info=_info(base), ingress=ingress, notes=base.troubles.notes),
            stopping=Stopping(database=database, bus=base.bus, gate=base.gate, stop=base.stop),
            clock=base.clock,
        ),
        TaskRunHandlers(task_runs=TaskRuns(database=database, bus=base.bus, logs=base.logs), results_limit=limit),
        TokenHandlers(tokens=Tokens(database=database), results_limit=limit),
    )


def _attachments(base: Base) -> Attachments:
    return Attachments(database=base.database, bus=base.bus, engine_of=base.engines.get, instance=base.instance)


def _secret_handlers(base: Base) -> SecretHandlers:
    database, blobs = base.database, base.blobs
    return SecretHandlers(
        pipeline_secrets=PipelineSecrets(database=database, blobs=blobs),
        global_secrets=GlobalSecrets(database=database, blobs=blobs),
        rotation=KeyRotation(
            database=database,
            blobs=blobs,
            sealer=base.sealer,
            needed=NeededBlobs(database=database, instance=base.instance),
        ),
    )


def _info(base: Base) -> SystemInfo:
    return SystemInfo(
        version=__version__,
        commit=COMMIT,
        dev_mode=base.settings.dev_mode,
        scheduler_engine=base.engine.name,
        instance=base.instance,
        notes=engine_notes(base.engine),
    )
