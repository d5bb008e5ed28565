"""The command line: `gofer NOUN VERB`.

Nothing heavy is imported before a command needs it, so that help and completion are quick.
"""

import sys

from gofer.cli.arguments import forward_globals
from gofer.cli.root import build

PROGRAM = "gofer"


def main() -> None:
    """Run the command line; ends the process with the command's exit status."""
    build()(args=forward_globals(sys.argv[1:]), prog_name=PROGRAM)
