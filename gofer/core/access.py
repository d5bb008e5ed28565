"""Who calls, with which token, and what is open to them.

A token opens namespaces by patterns: exact ids, or globs in which `*` stands for any characters and `?` for one. The
token of a task run opens its own pipeline only. Nothing is open to somebody of whom nothing is known.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType, Self

from gofer.core.errors import InvalidInput, PermissionDenied
from gofer.core.events import Event
from gofer.core.ids import DEFAULT_NAMESPACE, NamespaceId, PipelineId, PipelineKey, TaskRunKey
from gofer_sdk.rules.text import list_faults, quoted

TokenId = NewType("TokenId", str)
"""The public name of a token: it can be shown, and opens nothing."""
TokenHash = NewType("TokenHash", str)
"""SHA-256 of a token's text, in lower-case hexadecimal digits: what is stored of it."""

MAX_PATTERN_CHARACTERS: Final = 64
MAX_PATTERNS: Final = 100

_PATTERN: Final = re.compile(r"[A-Za-z0-9_*?]+")
_REGEX_TO_GLOB: Final = ((".*", "*"), (".+", "?*"), (".", "?"), ("\\", ""), ("^", ""), ("$", ""))


class TokenKind(StrEnum):
    """What a token is good for: everything, or what concerns its namespaces."""

    MANAGEMENT = "MANAGEMENT"
    CLIENT = "CLIENT"


@dataclass(frozen=True, slots=True)
class NamespacePattern:
    """An exact namespace id, or a glob that several may match."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a pattern; `.*` is another way to write `*`.

        Raises:
            ValueError: it is neither an id nor a glob; the message names the glob to use.

        """
        if text == ".*":
            return cls("*")
        if not text:
            raise ValueError("a namespace is empty: give an id, a glob such as team_*, or * for all")
        if len(text) > MAX_PATTERN_CHARACTERS:
            raise ValueError(f"{quoted(text)} is too long for a namespace: at most {MAX_PATTERN_CHARACTERS} characters")
        if not _PATTERN.fullmatch(text):
            raise ValueError(f"{quoted(text)} is neither a namespace id nor a glob: {_advice(text)}")
        return cls(re.sub(r"\*+", "*", text))

    @property
    def is_exact(self) -> bool:
        """Whether it names one namespace."""
        return "*" not in self.text and "?" not in self.text

    def matches(self, namespace: NamespaceId) -> bool:
        """Tell whether the whole id fits, letter for letter."""
        return self.text == namespace if self.is_exact else _glob_matches(self.text, namespace)

    def __str__(self) -> str:
        return self.text


EVERY_NAMESPACE: Final = NamespacePattern("*")


def parse_patterns(texts: Iterable[str]) -> tuple[NamespacePattern, ...]:
    """Read a list of patterns, each kept once. Raises `InvalidInput` with every fault."""
    found: dict[NamespacePattern, None] = {}
    faults: list[str] = []
    for text in texts:
        try:
            found[NamespacePattern.parse(text)] = None
        except ValueError as error:
            faults.append(str(error))
    if len(found) > MAX_PATTERNS:
        faults.append(f"there are {len(found)} namespaces: at most {MAX_PATTERNS}, use a glob for more")
    if faults:
        raise InvalidInput(list_faults(faults), faults=tuple(faults))
    return tuple(found)


def _advice(text: str) -> str:
    glob = text
    for regex, wildcard in _REGEX_TO_GLOB:
        glob = glob.replace(regex, wildcard)
    if _PATTERN.fullmatch(glob):
        return f"use the glob {glob}"
    return "use letters, digits and underscores, * for any characters and ? for one, such as team_*"


def _glob_matches(pattern: str, text: str) -> bool:
    """Compare from left to right; at a mismatch the last `*` takes one character more.

    Not a regular expression: many stars would make one try for hours.
    """
    at, position, star, mark = 0, 0, -1, 0
    while position < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, mark = at, position
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[position]):
            at += 1
            position += 1
        elif star >= 0:
            mark += 1
            at, position = star + 1, mark
        else:
            return False
    return not pattern[at:].strip("*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls; `name` is for logs. To an admin everything is open, to others what `namespaces` match.

    With a `pipeline` nothing but that pipeline is open. `token` and `expires_at` are None for those who need none.
    `is_local` tells that the call was accepted on this machine's loopback interface.
    """

    name: str
    is_admin: bool
    namespaces: tuple[NamespacePattern, ...] = ()
    pipeline: PipelineKey | None = None
    token: TokenId | None = None
    expires_at: datetime | None = None
    is_local: bool = False

    @property
    def home(self) -> NamespaceId:
        """The namespace of requests that name none: the first of the caller's own but `default`, else `default`."""
        named = [NamespaceId(pattern.text) for pattern in self.namespaces if pattern.is_exact]
        return next((each for each in named if each != DEFAULT_NAMESPACE), DEFAULT_NAMESPACE)

    @property
    def only_namespace(self) -> NamespaceId | None:
        """The one namespace that is open to the caller; None where there may be more, or none."""
        if self.is_admin or len(self.namespaces) != 1 or not self.namespaces[0].is_exact:
            return None
        return NamespaceId(self.namespaces[0].text)

    @property
    def only_pipeline(self) -> PipelineId | None:
        """The one pipeline that is open to the caller; None where all of its namespaces are."""
        return None if self.pipeline is None else self.pipeline.pipeline

    def allows(self, namespace: NamespaceId) -> bool:
        """Tell whether the namespace is open to the caller; with `pipeline`, what of it, is `allows_pipeline`'s."""
        return self.is_admin or any(pattern.matches(namespace) for pattern in self.namespaces)

    def allows_pipeline(self, key: PipelineKey) -> bool:
        """Tell whether the pipeline and all that belongs to it is open to the caller."""
        return self.allows(key.namespace) and (self.pipeline is None or self.pipeline == key)

    def sees(self, event: Event) -> bool:
        """Tell whether the event is about something that is open to the caller; all else is for admins."""
        if self.is_admin:
            return True
        details = event.details()
        namespace, pipeline = details.get("namespace_id"), details.get("pipeline_id")
        if namespace is None or not self.allows(NamespaceId(str(namespace))):
            return False
        return self.pipeline is None or pipeline == self.pipeline.pipeline

    def require(self, namespace: NamespaceId) -> None:
        """Raise `PermissionDenied` where the namespace is closed to the caller."""
        if not self.allows(namespace):
            raise PermissionDenied(f"your token does not open the namespace {quoted(namespace)}", namespace=namespace)

    def require_pipeline(self, key: PipelineKey) -> None:
        """Raise `PermissionDenied` where the pipeline is closed to the caller."""
        self.require(key.namespace)
        if not self.allows_pipeline(key):
            raise PermissionDenied(f"your token does not open the pipeline {quoted(str(key))}", namespace=key.namespace)

    def require_admin(self) -> None:
        """Raise `PermissionDenied` where the caller is no admin."""
        if not self.is_admin:
            raise PermissionDenied("this needs a management token")

    def covers(self, pattern: NamespacePattern) -> bool:
        """Tell whether everything that the pattern opens is open to the caller too."""
        if self.is_admin or pattern in self.namespaces or EVERY_NAMESPACE in self.namespaces:
            return True
        return pattern.is_exact and self.allows(NamespaceId(pattern.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is kept of a token: everything but its text. `task_run` is the one that it was made for, if any."""

    id: TokenId
    kind: TokenKind
    namespaces: tuple[NamespacePattern, ...]
    created_at: datetime
    expires_at: datetime | None
    metadata: Mapping[str, str] = field(default_factory=dict)
    disabled: bool = False
    task_run: TaskRunKey | None = None

    def why_refused(self, now: datetime) -> str | None:
        """Say why the token opens nothing at that time; None: it does."""
        if self.expires_at is not None and now >= self.expires_at:
            return "your token has expired"
        return "your token is disabled" if self.disabled else None

    def caller(self, *, is_local: bool) -> Caller:
        """Give who calls with the token."""
        of = self.task_run
        return Caller(
            name=f"token {self.id}" if of is None else f"task run {of}",
            is_admin=self.kind is TokenKind.MANAGEMENT,
            namespaces=self.namespaces,
            pipeline=None if of is None else of.of_run.of_pipeline,
            token=self.id,
            expires_at=self.expires_at,
            is_local=is_local,
        )

    def is_shown_to(self, caller: Caller) -> bool:
        """Tell whether the caller may know of the token: an admin of all, others of theirs and of lesser ones."""
        if caller.is_admin or self.id == caller.token:
            return True
        if caller.pipeline is not None or self.kind is TokenKind.MANAGEMENT:
            return False
        return bool(self.namespaces) and all(caller.covers(pattern) for pattern in self.namespaces)
