"""The script keys of the memory engine."""

import inspect

from docs.generators.markdown import join
from gofer.engines.scheduler import memory_script


def keys() -> str:
    """Return the table that stands above the code, and what follows it."""
    _, _, rest = (inspect.getdoc(memory_script) or "").partition("\n\n")
    return join(rest)
