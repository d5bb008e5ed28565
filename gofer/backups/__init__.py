"""Backups: all that a server keeps, in one folder, made while it runs; and a server's data made from one again."""

from gofer.backups.make import make_backup as make_backup
from gofer.backups.manifest import Manifest as Manifest
from gofer.backups.restore import restore_backup as restore_backup
