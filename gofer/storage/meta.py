"""What the database knows of itself."""

from datetime import datetime

from gofer.core.ids import InstanceId
from gofer.core.times import to_ms
from gofer.sqlite import Connection

_GET = "SELECT value FROM meta WHERE key = ?"
_SET = "INSERT INTO meta (key, value) VALUES (?, ?)"
_BOOTSTRAPPED = "bootstrapped_at"


class MetaRepository:
    """Single values, on one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def instance_id(self) -> InstanceId:
        """Give the 12 hexadecimal digits that tell this database's server from others; made with the file."""
        return InstanceId(self._connection.execute(_GET, ("instance_id",)).fetchone()["value"])

    def is_bootstrapped(self) -> bool:
        """Tell whether the first management token was ever given out."""
        return self._connection.execute(_GET, (_BOOTSTRAPPED,)).fetchone() is not None

    def set_bootstrapped(self, at: datetime) -> None:
        """Record, for ever, that the first management token was given out. Raises `AlreadyExists`."""
        self._connection.execute(_SET, (_BOOTSTRAPPED, str(to_ms(at))))
