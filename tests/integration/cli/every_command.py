"""Every command of the command line with how a test runs it; a command without a row here fails a test.

In the arguments `{p}` is a pipeline of one task that has run once, `{n}` a name that nothing has, `{dir}` a folder with
its program, `{new}` a file that is not there, `{token}`, `{run}` and `{version}` what the calls before have made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

Arguments = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How to run one command.

    Attributes:
        arguments: what follows its name.
        before: calls that have to succeed first, each with all of its words.
        stdin: what is piped in.
        key: a key of the last JSON that it prints; None: that is `{}`.
        once: a server does this only once ever; afterwards it is refused.
        elsewhere: the test that runs it instead, and in which formats, because it can't be run like the others.

    """

    arguments: Arguments = ()
    before: tuple[Arguments, ...] = ()
    stdin: str = ""
    key: str | None = None
    once: bool = False
    elsewhere: str = ""


_TOKEN: Final = ("service", "token", "create", "client", "-m", "for:{n}")
_NAMESPACE: Final = ("namespace", "create", "{n}", "Name")
_PIPELINE_SECRET: Final = ("secret", "pipeline", "put", "{p}", "{n}", "--value", "abcdef")
_GLOBAL_SECRET: Final = ("secret", "global", "put", "{n}", "--value", "abcdef")
_PIPELINE_OBJECT: Final = ("pipeline", "object", "put", "{p}", "{n}=abc")
_RUN_OBJECT: Final = ("run", "object", "put", "{p}", "{n}=abc")
_SERVICE_TESTS: Final = "tests/integration/cli/test_service.py"
_PRODUCTION_TESTS: Final = "tests/integration/cli/test_production.py"

_TOKENS: Final[Mapping[str, Row]] = {
    "bootstrap": Row(key="token", once=True),
    "create": Row(arguments=("client", "-n", "default"), key="token"),
    "list": Row(arguments=("--all",), before=(_TOKEN,), key="tokens"),
    "get": Row(arguments=("{token}",), before=(_TOKEN,), key="kind"),
    "enable": Row(arguments=("{token}",), before=(_TOKEN,), key="kind"),
    "disable": Row(arguments=("{token}",), before=(_TOKEN,), key="disabled"),
    "delete": Row(arguments=("{token}", "--yes"), before=(_TOKEN,), key="kind"),
    "whoami": Row(key="withoutToken"),
}

_PIPELINE_OBJECTS: Final[Mapping[str, Row]] = {
    "delete": Row(arguments=("{p}", "{n}", "--yes"), before=(_PIPELINE_OBJECT,)),
    "get": Row(arguments=("{p}", "{n}"), before=(_PIPELINE_OBJECT,), key="content"),
    "list": Row(arguments=("{p}",), before=(_PIPELINE_OBJECT,), key="keys"),
    "put": Row(arguments=("{p}", "{n}", "--force"), stdin="abcdef", key="bytes"),
}
_RUN_OBJECTS: Final[Mapping[str, Row]] = {
    "delete": Row(arguments=("{p}", "{n}", "--yes"), before=(_RUN_OBJECT,)),
    "get": Row(arguments=("{p}", "{n}"), before=(_RUN_OBJECT,), key="content"),
    "list": Row(arguments=("{p}", "1"), before=(("run", "object", "put", "{p}", "1", "{n}=abc"),), key="keys"),
    "put": Row(arguments=("{p}", "1", "{n}", "--force"), stdin="abcdef", key="bytes"),
}

TABLE: Final[Mapping[str, Row]] = {
    "completion": Row(elsewhere="tests/unit/cli/test_root.py"),  # a script in every format
    "context": Row(key="settings"),
    "doctor": Row(key="findings"),
    "event get": Row(arguments=("1",), key="type"),
    "event list": Row(arguments=("--limit", "3"), key="type"),
    "namespace create": Row(arguments=("{n}", "Name"), key="id"),
    "namespace delete": Row(arguments=("{n}", "--yes"), before=(_NAMESPACE,)),
    "namespace get": Row(arguments=("default",), key="id"),
    "namespace list": Row(key="namespaces"),
    "namespace set": Row(arguments=("default",), key="id"),
    "namespace update": Row(arguments=("{n}", "--name", "New"), before=(_NAMESPACE,), key="name"),
    "pipeline config delete": Row(
        arguments=("{p}", "{version}", "--yes"), before=(("up", "{dir}", "--force", "--no-deploy"),)
    ),
    "pipeline config get": Row(arguments=("{p}", "1"), key="tasks"),
    "pipeline config list": Row(arguments=("{p}",), key="configs"),
    "pipeline delete": Row(elsewhere="tests/integration/cli/test_changing.py"),  # each needs a pipeline of its own
    "pipeline deploy": Row(arguments=("{p}", "1"), before=(("up", "{dir}", "--force"),), key="id"),
    "pipeline deployment get": Row(arguments=("{p}", "1"), key="id"),
    "pipeline deployment list": Row(arguments=("{p}",), key="Deployments"),
    "pipeline disable": Row(arguments=("{p}", "--yes")),
    "pipeline enable": Row(arguments=("{p}",)),
    "pipeline get": Row(arguments=("{p}",), key="metadata"),
    "pipeline list": Row(key="pipelines"),
    **{f"pipeline object {name}": row for name, row in _PIPELINE_OBJECTS.items()},
    **{f"pipeline store {name}": row for name, row in _PIPELINE_OBJECTS.items()},
    "pipeline run": Row(arguments=("{p}", "--wait"), before=(("pipeline", "enable", "{p}"),), key="status"),
    "run cancel": Row(arguments=("{p}", "1"), key="status"),
    "run cancel-all": Row(arguments=("{p}",)),
    "run follow": Row(arguments=("{p}", "1"), key="status"),
    "run get": Row(arguments=("{p}", "1"), key="status"),
    "run list": Row(arguments=("{p}",), key="runs"),
    **{f"run object {name}": row for name, row in _RUN_OBJECTS.items()},
    **{f"run store {name}": row for name, row in _RUN_OBJECTS.items()},
    "run retry": Row(arguments=("{p}", "1", "--wait"), before=(("pipeline", "enable", "{p}"),), key="status"),
    "run start": Row(arguments=("{p}", "--follow"), before=(("pipeline", "enable", "{p}"),), key="status"),
    "secret global delete": Row(arguments=("{n}", "--yes"), before=(_GLOBAL_SECRET,)),
    "secret global get": Row(arguments=("{n}",), before=(_GLOBAL_SECRET,), key="secret"),
    "secret global list": Row(before=(_GLOBAL_SECRET,), key="keys"),
    "secret global put": Row(arguments=("{n}",), stdin="abcdef", key="bytes"),
    "secret pipeline delete": Row(arguments=("{p}", "{n}", "--yes"), before=(_PIPELINE_SECRET,)),
    "secret pipeline get": Row(arguments=("{p}", "{n}"), before=(_PIPELINE_SECRET,), key="secret"),
    "secret pipeline list": Row(arguments=("{p}",), before=(_PIPELINE_SECRET,), key="keys"),
    "secret pipeline put": Row(arguments=("{p}", "{n}"), stdin="abcdef", key="bytes"),
    "service backup": Row(elsewhere=_PRODUCTION_TESTS),  # of a server of this machine
    "service check-config": Row(arguments=("--dev-mode",), key="faults"),
    "service info": Row(key="semver"),
    "service init-config": Row(arguments=("--filepath", "{new}"), key="path"),
    "service repair-orphan": Row(arguments=("{p}", "1"), key="id"),
    "service restore": Row(elsewhere=_PRODUCTION_TESTS),
    "service rotate-key": Row(key="total"),
    "service start": Row(elsewhere=_SERVICE_TESTS),  # runs until it is stopped, and prints a log
    "service stop": Row(elsewhere=_SERVICE_TESTS),  # ends the server
    **{f"service token {name}": row for name, row in _TOKENS.items()},
    **{f"service tokens {name}": row for name, row in _TOKENS.items()},
    "service toggle-event-ingress": Row(arguments=("--yes",), elsewhere="tests/integration/cli/test_commands.py"),
    "taskrun attach": Row(elsewhere="tests/integration/cli/test_attach.py"),  # talks to a program on a terminal
    "taskrun cancel": Row(arguments=("{p}", "1", "only"), key="status"),
    "taskrun delete-logs": Row(
        arguments=("{p}", "{run}", "only", "--yes"),
        before=(("pipeline", "enable", "{p}"), ("run", "start", "{p}", "--wait")),
        key="task",
    ),
    "taskrun get": Row(arguments=("{p}", "1"), key="task"),
    "taskrun list": Row(arguments=("{p}", "1"), key="taskRuns"),
    "taskrun logs": Row(arguments=("{p}", "1"), key="chunk"),
    "up": Row(arguments=("{dir}",), key="metadata"),
}
