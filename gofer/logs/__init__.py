"""Task output on disk: written once, read by any number of followers."""

from gofer.logs.follower import LogBlock as LogBlock
from gofer.logs.follower import LogFollower as LogFollower
from gofer.logs.store import LogStore as LogStore
from gofer.logs.store import log_threads as log_threads
from gofer.logs.writer import LogWriter as LogWriter
