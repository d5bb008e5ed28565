"""The parts of the process engine: the folder of an attempt, its shim, its spool, and waiting for its end."""
