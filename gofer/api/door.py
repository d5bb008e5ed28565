"""Who is let in: the caller of each call, and whether the table of rules lets them do what they ask for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from gofer.api.caller import Call, Identify
from gofer.api.composite import Rpc
from gofer.api.rules import RULES, Needs, Rule
from gofer.core.access import Caller
from gofer.core.errors import PermissionDenied, Unauthenticated
from gofer.core.ids import NamespaceId, PipelineId, PipelineKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Applies the rules to the calls of a listener; `identify` finds their callers."""

    identify: Identify
    rules: Mapping[str, Rule] = field(default_factory=lambda: RULES)

    def check_complete(self, rpcs: Iterable[Rpc]) -> None:
        """Raise `TypeError` naming the RPCs that no rule is about."""
        missing = [rpc.path for rpc in rpcs if rpc.path not in self.rules]
        if missing:
            raise TypeError(f"every call needs a row in gofer/api/rules.py; missing: {', '.join(missing)}")

    def is_open(self, rpc: Rpc) -> bool:
        """Tell whether the RPC needs no token."""
        return self.rules[rpc.path].needs is Needs.NOTHING

    async def admit(self, rpc: Rpc, call: Call) -> Caller:
        """Give who calls. Raises `Unauthenticated`, and `PermissionDenied` for what only management may do."""
        if self.is_open(rpc):
            return await self._anybody(call)
        caller = await self.identify(call)
        if self.rules[rpc.path].needs is Needs.MANAGEMENT and not caller.is_admin:
            raise PermissionDenied(f"{rpc.name} needs a management token")
        return caller

    async def _anybody(self, call: Call) -> Caller:
        """Give who calls where no token is needed: a bad one is as good as none, and the end of one ends nothing."""
        try:
            caller = await self.identify(call)
        except Unauthenticated:
            return Caller(name="stranger", is_admin=False, is_local=call.is_local)
        return replace(caller, token=None, expires_at=None)

    def check_request(self, rpc: Rpc, caller: Caller, request: object) -> None:
        """Raise `PermissionDenied` where the request is about a namespace or a pipeline that the token does not open.

        It does not tell whether they exist. Services check again what they look up.
        """
        rule = self.rules[rpc.path]
        if rule.needs is not Needs.NAMESPACE or caller.is_admin:
            return
        about = getattr(request, rule.within) if rule.within else request
        if about is None:
            return
        named = _text(about, rule.namespace)
        if not named and not rule.from_token:
            return
        namespace = NamespaceId(named) if named else caller.home
        caller.require(namespace)
        pipeline = _text(about, rule.pipeline) if rule.pipeline else ""
        if pipeline:
            caller.require_pipeline(PipelineKey(namespace=namespace, pipeline=PipelineId(pipeline)))


def _text(message: object, field: str) -> str:
    for name in field.split("."):
        if message is None:
            return ""
        message = getattr(message, name)
    return message if isinstance(message, str) else ""
