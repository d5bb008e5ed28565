"""Tokens."""

from gofer.api.caller import current_caller
from gofer.api.convert.common import page_of
from gofer.api.convert.tokens import named_token_of, token_draft_of, token_to_proto
from gofer.services.tokens import Tokens
from gofer_sdk._proto import proto


class TokenHandlers(proto.GoferBase):
    """The RPCs about tokens."""

    def __init__(self, *, tokens: Tokens, results_limit: int) -> None:
        """Give at most `results_limit` items of a list at once."""
        self._tokens = tokens
        self._results_limit = results_limit

    async def bootstrap_token(self, message: proto.BootstrapTokenRequest) -> proto.BootstrapTokenResponse:  # noqa: ARG002 - empty
        """Serve BootstrapToken."""
        made = await self._tokens.bootstrap(current_caller())
        return proto.BootstrapTokenResponse(details=token_to_proto(made.token), token=made.text.reveal())

    async def create_token(self, message: proto.CreateTokenRequest) -> proto.CreateTokenResponse:
        """Serve CreateToken."""
        made = await self._tokens.create(current_caller(), token_draft_of(message))
        return proto.CreateTokenResponse(details=token_to_proto(made.token), token=made.text.reveal())

    async def list_tokens(self, message: proto.ListTokensRequest) -> proto.ListTokensResponse:
        """Serve ListTokens."""
        page = page_of(message, self._results_limit)
        listed = await self._tokens.list(current_caller(), message.namespace, page, everywhere=message.everywhere)
        return proto.ListTokensResponse(
            tokens=[token_to_proto(found) for found in listed.items], next_cursor=listed.next_cursor
        )

    async def get_token(self, message: proto.GetTokenRequest) -> proto.GetTokenResponse:
        """Serve GetToken."""
        found = await self._tokens.get(current_caller(), named_token_of(message))
        return proto.GetTokenResponse(details=token_to_proto(found))

    async def enable_token(self, message: proto.EnableTokenRequest) -> proto.EnableTokenResponse:
        """Serve EnableToken."""
        await self._tokens.enable(current_caller(), named_token_of(message))
        return proto.EnableTokenResponse()

    async def disable_token(self, message: proto.DisableTokenRequest) -> proto.DisableTokenResponse:
        """Serve DisableToken."""
        await self._tokens.disable(current_caller(), named_token_of(message))
        return proto.DisableTokenResponse()

    async def delete_token(self, message: proto.DeleteTokenRequest) -> proto.DeleteTokenResponse:
        """Serve DeleteToken."""
        await self._tokens.delete(current_caller(), named_token_of(message))
        return proto.DeleteTokenResponse()

    async def who_am_i(self, message: proto.WhoAmIRequest) -> proto.WhoAmIResponse:  # noqa: ARG002 - empty
        """Serve WhoAmI."""
        own = await self._tokens.who_am_i(current_caller())
        if own is None:
            return proto.WhoAmIResponse(details=proto.Token(kind=proto.TokenKind.MANAGEMENT), without_token=True)
        return proto.WhoAmIResponse(details=token_to_proto(own))
