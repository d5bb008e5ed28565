"""Tokens on the wire."""

from collections.abc import Mapping
from typing import Final

from gofer.api.convert.common import ms
from gofer.core.access import Token, TokenKind
from gofer.core.secret import Secret
from gofer.services.tokens import NamedToken, TokenDraft
from gofer_sdk._proto import proto

KINDS: Final[Mapping[TokenKind, proto.TokenKind]] = {
    TokenKind.MANAGEMENT: proto.TokenKind.MANAGEMENT,
    TokenKind.CLIENT: proto.TokenKind.CLIENT,
}


def token_to_proto(token: Token) -> proto.Token:
    """Give what is known of a token."""
    of = token.task_run
    return proto.Token(
        created=ms(token.created_at),
        kind=KINDS[token.kind],
        namespaces=[pattern.text for pattern in token.namespaces],
        metadata=dict(token.metadata),
        expires=ms(token.expires_at),
        disabled=token.disabled,
        id=token.id,
        pipeline_id="" if of is None else of.pipeline,
        run_id=0 if of is None else of.run,
        task_run_id="" if of is None else of.task,
    )


def token_draft_of(request: proto.CreateTokenRequest) -> TokenDraft:
    """Read what a caller wants a token to be; whatever is not MANAGEMENT asks for a client token, as in 0.6."""
    is_management = int(request.kind) == int(proto.CreateTokenRequestKind.MANAGEMENT)
    return TokenDraft(
        kind=TokenKind.MANAGEMENT if is_management else TokenKind.CLIENT,
        namespaces=tuple(request.namespaces),
        metadata=dict(request.metadata),
        life=request.expires,
    )


def named_token_of(
    request: proto.GetTokenRequest | proto.EnableTokenRequest | proto.DisableTokenRequest | proto.DeleteTokenRequest,
) -> NamedToken:
    """Read which token is meant."""
    return NamedToken(text=Secret(request.token), id=request.id)
