"""The unit of work: everything that one transaction reads, changes and tells."""

from datetime import datetime

from gofer.core.events import Envelope, Event
from gofer.core.run import FreshRun
from gofer.core.times import from_ms, to_ms
from gofer.sqlite import Connection
from gofer.storage.journal import JournalRepository
from gofer.storage.meta import MetaRepository
from gofer.storage.namespaces import NamespaceRepository
from gofer.storage.objects import ObjectRepository
from gofer.storage.pipelines import PipelineRepository
from gofer.storage.removal import RemovalRepository
from gofer.storage.resealing import SealedConfigRepository
from gofer.storage.retention import RetentionRepository
from gofer.storage.runs import RunRepository
from gofer.storage.secrets import SecretRepository
from gofer.storage.tokens import TokenRepository


class Unit:
    """The repositories on one transaction, and its one time.

    `recorded` holds the events of the transaction in their order; they are published once it is committed.
    `begun` holds runs that it has stored, as they are then.
    """

    def __init__(self, connection: Connection, now: datetime) -> None:
        """Fix the time, to the millisecond: what a unit returns equals what it stores."""
        self.now = from_ms(to_ms(now))
        self.recorded: list[Envelope] = []
        self.begun: list[FreshRun] = []
        self.namespaces = NamespaceRepository(connection)
        self.objects = ObjectRepository(connection)
        self.pipelines = PipelineRepository(connection)
        self.retention = RetentionRepository(connection)
        self.removal = RemovalRepository(connection)
        self.runs = RunRepository(connection)
        self.secrets = SecretRepository(connection)
        self.sealed_configs = SealedConfigRepository(connection)
        self.tokens = TokenRepository(connection)
        self.journal = JournalRepository(connection)
        self.meta = MetaRepository(connection)

    def record(self, event: Event) -> None:
        """Store an event in this transaction, to be published after its commit."""
        self.recorded.append(self.journal.append(event, self.now))
