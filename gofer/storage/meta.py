"""What the database knows of itself."""

from gofer.core.ids import InstanceId
from gofer.sqlite import Connection

_GET = "SELECT value FROM meta WHERE key = ?"


class MetaRepository:
    """Single values, on one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def instance_id(self) -> InstanceId:
        """Give the 12 hexadecimal digits that tell this database's server from others; made with the file."""
        return InstanceId(self._connection.execute(_GET, ("instance_id",)).fetchone()["value"])
