"""Run a Python file and write the pipeline that it describes, as a serialized message, on the standard output.

    python -m gofer_sdk.pipeline.load pipeline.py > pipeline.bin

The file is run as a program. If it calls `emit()`, that is the message; else the one `Pipeline` among its variables;
else, where there is none, what it printed. Whatever else the program prints goes to the standard error.
"""

import os
import runpy
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from gofer_sdk.codec import encode
from gofer_sdk.pipeline.builder import MESSAGE_PATH_VARIABLE, Pipeline
from gofer_sdk.pipeline.faults import PipelineFaults

_STDOUT: Final = 1


class NoPipeline(Exception):
    """The program ran and described no pipeline, or more than one."""


def main(arguments: Sequence[str]) -> int:
    """Run the file that is the one argument; return the exit status: 0 = the message was written."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m gofer_sdk.pipeline.load FILE\n")
        return 2
    file = Path(arguments[0]).absolute()
    if not file.is_file():
        sys.stderr.write(f"{file}: there is no such file\n")
        return 2
    _show_errors_from(file)
    with os.fdopen(os.dup(_STDOUT), "wb") as output:
        try:
            output.write(load_message(file))
        except (PipelineFaults, NoPipeline) as fault:
            sys.stderr.write(f"{fault}\n")
            return 1
    return 0


def load_message(file: Path) -> bytes:
    """Run a program in this process, which is spoilt by it, and return the message of the pipeline that it describes.

    Raises:
        PipelineFaults: the pipeline breaks a rule.
        NoPipeline: the program describes none, or more than one.
        SystemExit: the program ended itself with another status than 0. Its other errors come as they are.

    """
    with tempfile.TemporaryDirectory(prefix="gofer-") as folder, _printed_to_errors() as printed:
        message_path = Path(folder) / "message"
        os.environ[MESSAGE_PATH_VARIABLE] = str(message_path)
        variables = _run(file)
        if message_path.exists():
            return message_path.read_bytes()
        pipeline = _find_pipeline(variables)
        if pipeline is not None:
            return encode(pipeline.to_message())
        data = _taken(printed)
        if not data:
            raise NoPipeline("the program describes no pipeline: make one, `pipeline = Pipeline(id=..., tasks=[...])`")
        return data


@contextmanager
def _printed_to_errors() -> Iterator[BinaryIO]:
    """Catch the standard output; what nobody took is shown as errors at the end, so that a `print` spoils nothing."""
    with tempfile.TemporaryFile() as printed:
        os.dup2(printed.fileno(), _STDOUT)
        try:
            yield printed
        finally:
            sys.stderr.flush()
            sys.stderr.buffer.write(_taken(printed))
            sys.stderr.flush()


def _taken(printed: BinaryIO) -> bytes:
    sys.stdout.flush()
    printed.seek(0)
    data = printed.read()
    printed.seek(0)
    printed.truncate()
    return data


def _run(file: Path) -> Mapping[str, object]:
    """Return the variables that the program left; none where it ended itself by `sys.exit()`."""
    sys.argv = [str(file)]
    sys.path.insert(0, str(file.parent))
    try:
        return runpy.run_path(str(file), run_name="__main__")
    except SystemExit as end:
        if end.code not in {None, 0}:
            raise
        return {}


def _show_errors_from(file: Path) -> None:
    """Have an error that ends this process shown from the program's own file on: what has run the file is of no use."""

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        while trace is not None and trace.tb_frame.f_code.co_filename != str(file):
            trace = trace.tb_next
        traceback.print_exception(kind, error, trace)

    sys.excepthook = show


def _find_pipeline(variables: Mapping[str, object]) -> Pipeline | None:
    found = {id(value): (name, value) for name, value in variables.items() if isinstance(value, Pipeline)}
    if len(found) > 1:
        names = ", ".join(sorted(name for name, _ in found.values()))
        raise NoPipeline(f"the program has several pipelines ({names}): call emit() on the one to register")
    return next((pipeline for _, pipeline in found.values()), None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
