"""Tokens."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from gofer_sdk._proto import proto
from gofer_sdk.client.calls import Calls
from gofer_sdk.client.listed import listed
from gofer_sdk.client.page import Page, each_of
from gofer_sdk.client.present import present
from gofer_sdk.client.token import Token
from gofer_sdk.rules.durations import format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token that was just made.

    Attributes:
        details: what the server keeps of it, its public id among that.
        token: the token itself, which can't be had again.

    """

    details: proto.Token
    token: Token


class TokenCalls:
    """What opens the API. A token is named by its public id, or by itself."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def bootstrap(self) -> NewToken:
        """Make the first management token: on the server's own machine, and once ever.

        Raises FailedPrecondition, PermissionDenied.
        """
        request = proto.BootstrapTokenRequest()
        reply = await self._calls.once(request, proto.BootstrapTokenResponse)
        return NewToken(details=present(reply.details, request), token=Token(reply.token))

    async def create(
        self,
        *,
        management: bool = False,
        namespaces: Sequence[str] = (),
        metadata: Mapping[str, str] | None = None,
        expires_in: timedelta,
    ) -> NewToken:
        """Make a token that opens the given namespaces, by ids or globs; one for management opens everything.

        Raises InvalidInput, NotFound, PermissionDenied.
        """
        kinds = proto.CreateTokenRequestKind
        request = proto.CreateTokenRequest(
            kind=kinds.MANAGEMENT if management else kinds.CLIENT,
            namespaces=listed(namespaces, "namespaces"),
            metadata=dict(metadata or {}),
            expires=format_duration(expires_in),
        )
        reply = await self._calls.once(request, proto.CreateTokenResponse)
        return NewToken(details=present(reply.details, request), token=Token(reply.token))

    async def list(
        self, *, everywhere: bool = False, limit: int = 0, offset: int = 0, cursor: str = "", namespace: str = ""
    ) -> Page[proto.Token]:
        """Return a page of the tokens that open a namespace, in the order of creation; `everywhere` of all of them.

        `limit` 0 is the server's own limit. Raises NotFound, PermissionDenied.
        """
        request = proto.ListTokensRequest(
            namespace="" if everywhere else self._calls.namespace(namespace),
            everywhere=everywhere,
            limit=limit,
            offset=offset,
            cursor=cursor,
        )
        reply = await self._calls.safe(request, proto.ListTokensResponse)
        return Page(items=tuple(reply.tokens), next_cursor=reply.next_cursor)

    def each(self, *, everywhere: bool = False, namespace: str = "") -> AsyncGenerator[proto.Token, None]:
        """Yield all tokens that open a namespace, in the order of creation; `everywhere` of all of them."""
        return each_of(lambda cursor: self.list(everywhere=everywhere, cursor=cursor, namespace=namespace))

    async def get(self, name: str | Token) -> proto.Token:
        """Return what is known of one token: give its public id, or the token as a `Token`.

        Raises NotFound.
        """
        request = proto.GetTokenRequest(token=_text_of(name), id=_id_of(name))
        reply = await self._calls.safe(request, proto.GetTokenResponse)
        return present(reply.details, request)

    async def enable(self, name: str | Token) -> None:
        """Accept a disabled token again.

        Raises NotFound, PermissionDenied.
        """
        request = proto.EnableTokenRequest(token=_text_of(name), id=_id_of(name))
        await self._calls.once(request, proto.EnableTokenResponse)

    async def disable(self, name: str | Token) -> None:
        """Refuse a token until it is enabled again; streams that it has opened end.

        Raises NotFound, PermissionDenied.
        """
        request = proto.DisableTokenRequest(token=_text_of(name), id=_id_of(name))
        await self._calls.once(request, proto.DisableTokenResponse)

    async def delete(self, name: str | Token) -> None:
        """Forget a token; streams that it has opened end.

        Raises NotFound, PermissionDenied.
        """
        request = proto.DeleteTokenRequest(token=_text_of(name), id=_id_of(name))
        await self._calls.once(request, proto.DeleteTokenResponse)

    async def who_am_i(self) -> proto.WhoAmIResponse:
        """Return what is known of the client's own token, or that the server asks for none."""
        return await self._calls.safe(proto.WhoAmIRequest(), proto.WhoAmIResponse)


def _text_of(name: str | Token) -> str:
    return name.reveal() if isinstance(name, Token) else ""


def _id_of(name: str | Token) -> str:
    return "" if isinstance(name, Token) else name
