"""What every SQLite file of Gofer shares: one writer with group commit, readers, migrations."""

from sqlite3 import Connection as Connection
from sqlite3 import Row as Row

from gofer.sqlite.database import Database as Database
from gofer.sqlite.database import open_database as open_database
from gofer.sqlite.group import GroupStep as GroupStep
from gofer.sqlite.snapshot import Snapshot as Snapshot
from gofer.sqlite.snapshot import open_snapshot as open_snapshot
