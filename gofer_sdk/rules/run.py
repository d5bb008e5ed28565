"""The rules for what is given for one run: its variables, and who asks for it.

The variables come on top of those of each task. Together they stay below what Linux takes for a process's start, and a
list of many runs stays a message of a sensible size.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from gofer_sdk.rules.config import MAX_DESCRIPTION_BYTES, MAX_NAME_BYTES, variable_faults
from gofer_sdk.rules.text import fault_of_text

MAX_RUN_VARIABLES: Final = 10_000
MAX_RUN_VARIABLES_BYTES: Final = 512 * 1_024


def run_variables_faults(variables: Mapping[str, str]) -> Iterator[str]:
    """Yield every fault of the variables of a run; an empty key is none, as it is passed over.

    Too many, or too large ones, are one fault, and nothing else is looked at.
    """
    if len(variables) > MAX_RUN_VARIABLES:
        yield f"there are {len(variables):,} variables and at most {MAX_RUN_VARIABLES:,} are allowed: give fewer"
        return
    characters = sum(len(key) + len(value) + 2 for key, value in variables.items())  # no more than their bytes
    if characters <= MAX_RUN_VARIABLES_BYTES:
        for key, value in variables.items():
            if key:
                yield from variable_faults(key, value)
        characters = sum(len(f"{key}{value}".encode(errors="replace")) + 2 for key, value in variables.items())
    if characters > MAX_RUN_VARIABLES_BYTES:
        yield (f"the variables have more than {MAX_RUN_VARIABLES_BYTES:,} bytes together: pass large data as an object")


def initiator_faults(name: str, reason: str) -> Iterator[str]:
    """Yield every fault of who asks for a run, and why."""
    if not name:
        yield "a run needs an initiator with a name: say who asks for it"
    for fault in (
        fault_of_text(name, what="the initiator's name", max_bytes=MAX_NAME_BYTES),
        fault_of_text(reason, what="the initiator's reason", max_bytes=MAX_DESCRIPTION_BYTES),
    ):
        if fault is not None:
            yield fault
