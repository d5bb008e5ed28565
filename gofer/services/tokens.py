"""Tokens: make, look up, refuse, forget."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gofer.core.access import Caller, NamespacePattern, Token, TokenId, TokenKind, parse_patterns
from gofer.core.errors import FailedPrecondition, InvalidInput, PermissionDenied
from gofer.core.ids import NamespaceId
from gofer.core.secret import Secret
from gofer.core.times import from_ms, to_ms
from gofer.sealing import hash_token, make_token, make_token_id
from gofer.services.namespaces import resolve_namespace
from gofer.sqlite import Database
from gofer.storage.page import Listed, Page
from gofer.storage.tokens import not_found
from gofer.storage.unit import Unit
from gofer_sdk.rules.durations import parse_duration
from gofer_sdk.rules.text import fault_of_text, list_faults

FIRST_TOKEN_LIFE: Final = timedelta(hours=876_600)
MAX_METADATA: Final = 100
MAX_METADATA_BYTES: Final = 4096
"""Of a key, and of a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDraft:
    """A token as a caller describes it, nothing checked yet; `life` is a Go duration."""

    kind: TokenKind
    namespaces: tuple[str, ...]
    metadata: Mapping[str, str]
    life: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedToken:
    """Which token a request is about: by its text or by its public id, one of them."""

    text: Secret
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeToken:
    """A new token and its text, which can't be had again."""

    token: Token
    text: Secret


class Tokens:
    """The use cases of tokens. Every method raises `NotFound` for what does not exist."""

    def __init__(
        self,
        *,
        database: Database[Unit],
        make_text: Callable[[], Secret] = make_token,
        make_id: Callable[[], TokenId] = make_token_id,
    ) -> None:
        self._database = database
        self._make_text = make_text
        self._make_id = make_id

    async def bootstrap(self, caller: Caller) -> MadeToken:
        """Make the first management token. It is made once ever, and given to callers on this machine only.

        Raises `PermissionDenied`, and `FailedPrecondition` once it was made, or where there is a management token.
        """
        if not caller.is_local:
            raise PermissionDenied(
                "the first token is given out on the server's own machine only: run `gofer service token bootstrap` "
                "there, with --host localhost and the server's port"
            )
        text = self._make_text()

        def write(unit: Unit) -> Token:
            if unit.meta.is_bootstrapped() or unit.tokens.has_management():
                raise FailedPrecondition(
                    "the first management token was given out already, which happens once only; "
                    "whoever has a management token makes more with `gofer service token create management`"
                )
            unit.meta.set_bootstrapped(unit.now)
            return self._insert(
                unit,
                text,
                Token(
                    id=self._make_id(),
                    kind=TokenKind.MANAGEMENT,
                    namespaces=(),
                    metadata={"bootstrap_token": "true"},
                    created_at=unit.now,
                    expires_at=unit.now + FIRST_TOKEN_LIFE,
                ),
            )

        return MadeToken(token=await self._database.write(write), text=text)

    async def create(self, caller: Caller, draft: TokenDraft) -> MadeToken:
        """Store a new token. Raises `InvalidInput` with every fault, and `NotFound` for an unknown namespace."""
        caller.require_admin()
        life, patterns = _checked(draft)
        text = self._make_text()

        def write(unit: Unit) -> Token:
            for pattern in patterns:
                if pattern.is_exact:
                    unit.namespaces.require_kept(NamespaceId(pattern.text))
            return self._insert(
                unit,
                text,
                Token(
                    id=self._make_id(),
                    kind=draft.kind,
                    namespaces=patterns,
                    metadata=dict(draft.metadata),
                    created_at=unit.now,
                    expires_at=from_ms(to_ms(unit.now + life)),
                ),
            )

        return MadeToken(token=await self._database.write(write), text=text)

    async def get(self, caller: Caller, named: NamedToken) -> Token:
        """Give one token: by its text to whoever knows that, by its id to whoever may know of it."""

        def read(unit: Unit) -> Token:
            found = _find(unit, named)
            # What is closed to a caller does not tell them whether it exists.
            if named.id and not found.is_shown_to(caller):
                raise not_found()
            return found

        return await self._database.read(read)

    async def list(self, caller: Caller, namespace: str, page: Page, *, everywhere: bool = False) -> Listed[Token]:
        """Give the tokens that open the namespace, and those that name none, in the order of creation.

        With `everywhere` those of all namespaces. Only what the caller may know of; see `Token.is_shown_to`.
        """
        if everywhere and namespace:
            raise InvalidInput("a namespace and everywhere exclude each other: give one of them")

        def read(unit: Unit) -> Listed[Token]:
            wanted = None if everywhere else resolve_namespace(unit, caller, namespace)

            def is_shown(token: Token) -> bool:
                return token.is_shown_to(caller) and (wanted is None or _is_about(token, wanted))

            return unit.tokens.list(page, is_shown=is_shown)

        return await self._database.read(read)

    async def enable(self, caller: Caller, named: NamedToken) -> None:
        """Accept a disabled token again; nothing changes where it is not disabled."""
        await self._set_disabled(caller, named, disabled=False)

    async def disable(self, caller: Caller, named: NamedToken) -> None:
        """Refuse a token until it is enabled again, also in streams that it has opened."""
        await self._set_disabled(caller, named, disabled=True)

    async def delete(self, caller: Caller, named: NamedToken) -> None:
        """Forget a token; streams that it has opened end."""
        caller.require_admin()
        await self._database.write(lambda unit: unit.tokens.delete(_find(unit, named).id))

    async def who_am_i(self, caller: Caller) -> Token | None:
        """Give the caller's own token; None for one who was let in without."""
        own = caller.token
        return None if own is None else await self._database.read(lambda unit: unit.tokens.get(own))

    async def revoke_left_over(self) -> int:
        """Forget the tokens of task runs that have ended, and say how many; for the start of the server."""
        return await self._database.write(lambda unit: unit.tokens.delete_of_ended())

    async def _set_disabled(self, caller: Caller, named: NamedToken, *, disabled: bool) -> None:
        caller.require_admin()

        def write(unit: Unit) -> None:
            found = _find(unit, named)
            if found.disabled is not disabled:
                unit.tokens.set_disabled(found.id, disabled=disabled)

        await self._database.write(write)

    def _insert(self, unit: Unit, text: Secret, token: Token) -> Token:
        unit.tokens.insert(token, hash_token(text.reveal()))
        return token


def _find(unit: Unit, named: NamedToken) -> Token:
    text = named.text.reveal()
    if bool(text) == bool(named.id):
        raise InvalidInput("name the token by its id or by the token itself, one of them")
    if named.id:
        return unit.tokens.get(TokenId(named.id))
    found = unit.tokens.find_by_hash(hash_token(text))
    if found is None:
        raise not_found()
    return found[0]


def _is_about(token: Token, namespace: NamespaceId) -> bool:
    return not token.namespaces or any(pattern.matches(namespace) for pattern in token.namespaces)


def _checked(draft: TokenDraft) -> tuple[timedelta, tuple[NamespacePattern, ...]]:
    faults = [fault for fault in _metadata_faults(draft.metadata) if fault]
    life = timedelta()
    patterns: tuple[NamespacePattern, ...] = ()
    try:
        life = _life(draft.life)
    except ValueError as error:
        faults.append(f"expires: {error}")
    try:
        patterns = parse_patterns(draft.namespaces)
    except InvalidInput as error:
        faults.extend(error.faults)
    if faults:
        raise InvalidInput(list_faults(faults), faults=tuple(faults))
    return life, patterns


def _life(text: str) -> timedelta:
    if not text:
        raise ValueError("how long the token shall live is missing: give a duration such as 720h")
    life = parse_duration(text)
    if life <= timedelta():
        raise ValueError(f"{text} would be over at once: give a duration such as 720h")
    return life


def _metadata_faults(metadata: Mapping[str, str]) -> list[str | None]:
    if len(metadata) > MAX_METADATA:
        return [f"there are {len(metadata)} metadata entries: at most {MAX_METADATA}"]
    return [
        fault_of_text(text, what=what, max_bytes=MAX_METADATA_BYTES)
        for entry in metadata.items()
        for text, what in zip(entry, ("a metadata key", "a metadata value"), strict=True)
    ]
