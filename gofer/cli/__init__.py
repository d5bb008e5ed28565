"""The command line: `gofer NOUN VERB`.

Nothing heavy is imported before a command needs it, so that help and completion are quick.
"""

import sys

from gofer.cli.streams import forget, open_standard_streams

PROGRAM = "gofer"
FAILED = 1
INTERRUPTED = 130


def main() -> None:
    """Run the command line; ends the process with the command's exit status."""
    try:
        # Imported here, so that an interrupt meanwhile is no traceback either.
        from gofer.cli.arguments import forward_globals
        from gofer.cli.root import build

        open_standard_streams()
        build()(args=forward_globals(sys.argv[1:]), prog_name=PROGRAM)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except OSError as error:  # of what Typer prints by itself, such as help
        place = error.filename or "what is printed"
        forget(sys.stdout)
        sys.stderr.write(f"x {place} can't be written: {error.strerror or error}\n")
        sys.exit(FAILED)
