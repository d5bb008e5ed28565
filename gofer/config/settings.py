"""The server's settings: frozen values, each with its meaning, unit and default.

A class is a block of the configuration file, a field is a key of it, and the text below a field is what the reference
page says. Where the values come from is `load.py`'s matter. Durations are Go duration strings in the file and in the
environment, sizes are bytes, relative paths start at the folder that the server is started in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final

from gofer.config.address import Address

SAMPLE_ENCRYPTION_KEY: Final = "changemechangemechangemechangeme"
WORLD_WRITABLE: Final = Path("/tmp")  # noqa: S108 - where 0.6 put things by default; never used, see paths.py
MIB: Final = 1024 * 1024

_HOST: Final = Address(host="localhost", port=8080)
_CALLBACK: Final = Address(host="172.17.0.1", port=8080)
_EXTERNAL: Final = Address(host="localhost", port=8081)


@dataclass(frozen=True, slots=True)
class AtLeast:
    """The least value of a number; of a duration, in seconds."""

    value: int


Count = Annotated[int, AtLeast(0)]
Positive = Annotated[int, AtLeast(1)]
Amount = Annotated[float, AtLeast(0)]
Duration = Annotated[timedelta, AtLeast(0)]
Period = Annotated[timedelta, AtLeast(1)]


class LogLevel(StrEnum):
    """How much the server logs; the names are 0.6's."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"
    FATAL = "fatal"
    PANIC = "panic"


@dataclass(frozen=True, slots=True, kw_only=True)
class DevelopmentSettings:
    """What only dev mode may do. `--dev-mode` turns all of it on; a key can turn one off again."""

    pretty_logging: bool = False
    """Log lines for people in place of JSON."""

    bypass_auth: bool = False
    """Let calls that come from this machine in without a token."""

    use_localhost_tls: bool = False
    """Where no `server.tls_cert_path` is given, make a certificate of the server's own, kept in the data folder."""

    default_encryption: bool = False
    """In place of the sample's encryption key, make one of the server's own, kept in the data folder."""

    extension_skip_tls_verify: bool = False
    """Tell extensions not to verify the server's certificate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """The API service itself."""

    host: Address = _HOST
    """Where the API listens, as `host:port`; port 0 takes a free one."""

    address: Address = _CALLBACK
    """Where containers call the API back: for Docker, the gateway of its bridge.

    The server listens there too if that is an address of this machine that `server.host` does not cover.
    """

    shutdown_timeout: Period = timedelta(seconds=15)
    """How long a stop may take in all. Containers go on running."""

    storage_path: Path = WORLD_WRITABLE / "gofer.db"
    """The main database. Its folder is the data folder, which belongs to one server alone.

    The default is never used as it stands: dev mode takes the folder `$XDG_STATE_HOME/gofer` or `~/.local/state/gofer`,
    production asks for a path.
    """

    storage_results_limit: Positive = 200
    """The most entries that a list call gives at once."""

    tls_cert_path: str = ""
    """The server's certificate chain, a PEM file. Production needs it."""

    tls_key_path: str = ""
    """The key of the certificate, a PEM file. Production needs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerSettings:
    """The Docker engine. The limits hold for each task container."""

    host: str = ""
    """The daemon's URL, such as `unix:///var/run/docker.sock`; empty: `DOCKER_HOST`, else its usual socket."""

    prune: bool = False
    """Look for containers of this server that were left by task runs which have ended, and remove them."""

    prune_interval: Period = timedelta(hours=24)
    """How often to look for them."""

    start_gate: Count = 0
    """The most containers that are being started at one moment; 0: twice the number of cores."""

    pull_timeout: Period = timedelta(minutes=30)
    """How long pulling one image may take."""

    network: str = "bridge"
    """The Docker network of task containers, such as `bridge`, `none` or one that you made."""

    extra_hosts: tuple[str, ...] = ()
    """Further entries for the containers' hosts file, each `name:address`."""

    dns: tuple[str, ...] = ()
    """Name servers of the containers; empty: the daemon's."""

    memory_limit_bytes: Count = 0
    """The most memory, in bytes; 0: no limit."""

    cpu_limit: Amount = 0.0
    """The most processor time, in cores, such as 1.5; 0: no limit."""

    pids_limit: Count = 4096
    """The most processes and threads; 0: no limit."""

    runtime: str = ""
    """The OCI runtime, such as `runsc`; empty: the daemon's."""

    user: str = ""
    """The user, as `uid`, `uid:gid` or a name that the image knows; empty: the image's."""

    no_new_privileges: bool = True
    """Let no program of a task gain rights that it was not started with, such as by `sudo` or `su`."""

    init: bool = True
    """Start Docker's own small init before the task's program, where the daemon has one.

    Without it, a program that sets no handler for SIGTERM is not ended by it, and processes without a parent pile up.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSettings:
    """The process engine: tasks are processes of this machine, with this server's rights and without isolation."""

    path: str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    """The `PATH` that tasks get."""

    folder: str = ""
    """Where tasks work and where their output waits to be read; empty: `processes` in the data folder."""

    open_files: Count = 0
    """The most files that a task has open at once, as its soft limit; 0: what this server was started with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSettings:
    """Which engine runs containers, and how many. Each engine has a block of its own, named as the engine."""

    engine: str = "docker"
    """The engine of new task runs: `docker`, `process`, `memory`, or the name of one that you installed."""

    max_tasks: Count = 0
    """The most live containers of the whole server; 0: no limit."""

    docker: DockerSettings = DockerSettings()
    process: ProcessSettings = ProcessSettings()
    other: Mapping[str, Mapping[str, object]] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """The blocks of engines that do not come with Gofer, by engine name, as the file has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteObjectStoreSettings:
    """The object store in a SQLite file."""

    path: Path = WORLD_WRITABLE / "gofer-object.db"
    """The file. The default means `gofer-object.db` in the data folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesystemObjectStoreSettings:
    """The object store in a folder, a file for each object."""

    path: Path = WORLD_WRITABLE / "gofer-objects"
    """The folder, for one server alone. The default means `objects` in the data folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStoreSettings:
    """Where objects are kept, and how many."""

    engine: str = "sqlite"
    """The engine: `sqlite`, `filesystem`, `memory`, which forgets them with the server, or one that you installed."""

    pipeline_object_limit: Positive = 50
    """How many objects a pipeline keeps; the oldest goes first."""

    run_object_expiry: Positive = 50
    """After how many newer runs of its pipeline the objects of a run go, if it has ended."""

    object_size_limit_bytes: Positive = 64 * MIB
    """The size of the largest object, in bytes."""

    sqlite: SqliteObjectStoreSettings = SqliteObjectStoreSettings()
    filesystem: FilesystemObjectStoreSettings = FilesystemObjectStoreSettings()
    other: Mapping[str, Mapping[str, object]] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """The blocks of engines that do not come with Gofer, by engine name, as the file has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteSecretStoreSettings:
    """The secret store in a SQLite file; values are encrypted."""

    path: Path = WORLD_WRITABLE / "gofer-secret.db"
    """The file. The default means `gofer-secret.db` in the data folder."""

    encryption_key: str = field(default=SAMPLE_ENCRYPTION_KEY, repr=False)
    """The current key, exactly 32 bytes. The default is the sample's, which production refuses."""

    previous_encryption_keys: tuple[str, ...] = field(default=(), repr=False)
    """Keys that were current before; what they sealed can still be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretStoreSettings:
    """Where secrets are kept."""

    engine: str = "sqlite"
    """The engine: `sqlite`, `memory`, which forgets them with the server, or the name of one that you installed."""

    sqlite: SqliteSecretStoreSettings = SqliteSecretStoreSettings()
    other: Mapping[str, Mapping[str, object]] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """The blocks of engines that do not come with Gofer, by engine name, as the file has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionSettings:
    """The programs that extend the server."""

    install_base_extensions: bool = True
    """Install the extensions that come with Gofer, cron and interval."""

    stop_timeout: Duration = timedelta(minutes=5)
    """How long an extension may take to stop on uninstall, disable and restart."""

    tls_cert_path: str = ""
    """A certificate for extensions, a PEM file; empty: each start of one gets a fresh certificate."""

    tls_key_path: str = ""
    """The key of that certificate, a PEM file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalEventsSettings:
    """The HTTP port that takes events from outside, such as webhooks."""

    enable: bool = True
    """Listen for external events."""

    host: Address = _EXTERNAL
    """Where to listen, as `host:port`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of one server."""

    ignore_pipeline_run_events: bool = False
    """Refuse to start runs."""

    run_parallelism_limit: Count = 200
    """The most runs of one pipeline at a time, whatever its own limit; 0: no limit."""

    pipeline_version_limit: Count = 5
    """How many versions of a pipeline are kept beside those that a run was made from; 0: all. The live one stays."""

    event_log_retention: Period = timedelta(hours=4380)
    """How long events are kept."""

    event_prune_interval: Period = timedelta(hours=3)
    """How often old events, expired tokens and whatever else is due to go are looked for and removed."""

    log_level: LogLevel = LogLevel.INFO
    """How much is logged: `debug`, `info`, `warn`, `error`, `fatal` or `panic`. Extensions are told too."""

    task_run_log_expiry: Positive = 50
    """After how many newer runs of its pipeline the logs of a run go, if it has ended."""

    task_run_logs_dir: Path = WORLD_WRITABLE
    """The folder of the logs. The default means `logs` in the data folder."""

    task_run_stop_timeout: timedelta = timedelta(minutes=5)
    """How long a task may take to end after SIGTERM before it is killed; negative: as long as it likes."""

    development: DevelopmentSettings = DevelopmentSettings()
    extensions: ExtensionSettings = ExtensionSettings()
    external_events_api: ExternalEventsSettings = ExternalEventsSettings()
    object_store: ObjectStoreSettings = ObjectStoreSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    secret_store: SecretStoreSettings = SecretStoreSettings()
    server: ServerSettings = ServerSettings()

    dev_mode: bool = False  # the flag `--dev-mode`: no key of the file

    @property
    def data_folder(self) -> Path:
        """The folder that belongs to this server alone."""
        return self.server.storage_path.parent

    @property
    def max_message_bytes(self) -> int:
        """The largest request: room for the largest object and for what is around it."""
        return min(max(self.object_store.object_size_limit_bytes, 16 * MIB), 64 * MIB) + MIB
