"""A secret that comes, changes and goes while runs use it; and where none of its values may ever stand."""

import asyncio
import random
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from gofer_sdk.client import GoferClient
from gofer_sdk.errors import NotFound
from tests.torture.doomed import Insist
from tests.torture.ledger import Gap, Ledger, now_ms
from tests.torture.pipelines import SECRET, TELLING

PREFIX: Final = "never-to-be-seen-"
STORE: Final = "gofer-secret.db"
_VALUE: Final = re.compile(PREFIX.encode() + rb"[0-9a-f]{16}")
_UNMASKED: Final = "processes"
"""Where the process engine has what its live tasks are given, and what they write."""


class Keeper:
    """Puts the secret, replaces it, and takes it away for a moment."""

    def __init__(self, *, client: GoferClient, insist: Insist, ledger: Ledger, chance: random.Random) -> None:
        self._client = client
        self._insist = insist
        self._ledger = ledger
        self._chance = chance

    async def begin(self) -> None:
        """Have it for the first time."""
        self._ledger.gaps.append(Gap(from_ms=0))
        await self._put()

    async def change(self) -> None:
        """Replace it, or have none for a moment."""
        if self._chance.random() < 0.3:
            self._ledger.gaps.append(Gap(from_ms=now_ms()))
            await self._insist(self._delete)
            await asyncio.sleep(self._chance.random() * 0.1)
        await self._put()

    async def _put(self) -> None:
        value = secret_of(self._chance)
        await self._insist(lambda: self._client.secrets.put(TELLING, SECRET, value, force=True))
        self._ledger.secrets_put += 1
        self._ledger.gaps[-1].until_ms = self._ledger.gaps[-1].until_ms or now_ms()

    async def _delete(self) -> None:
        with suppress(NotFound):  # the first answer may have been lost
            await self._client.secrets.delete(TELLING, SECRET)


def secret_of(chance: random.Random) -> str:
    """Draw a value that stands nowhere else."""
    return f"{PREFIX}{chance.getrandbits(64):016x}"


def faults_of_leaks(folder: Path) -> Iterator[str]:
    """Say where a secret stands in the clear. What tasks are given while they live is theirs."""
    for path in folder.rglob("*"):
        if _UNMASKED in path.relative_to(folder).parts or not path.is_file():
            continue
        with suppress(FileNotFoundError):
            found = _VALUE.search(path.read_bytes())
            if found is not None:
                yield f"a secret stands in {path.relative_to(folder)}, at byte {found.start()}"


def faults_of_store(data: Path) -> Iterator[str]:
    """Say what the secret store holds that nobody will ask for again, once the last server has stopped."""
    with closing(sqlite3.connect(data / "gofer.db")) as names, closing(sqlite3.connect(data / STORE)) as store:
        named = {row[0] for row in names.execute("SELECT blob FROM pipeline_secrets")}
        held = {row[0] for row in store.execute("SELECT blob FROM secret_blobs")}
    if named != held:
        yield f"the secret store holds {sorted(held - named)} for nobody, and {sorted(named - held)} not at all"
