"""Checks an installed Gofer from outside its source: that everything is in the wheel, and nothing else is.

Run by the interpreter of the environment that the wheel was installed into, in a folder that has no source, with the
commit that it was built from as its argument.
"""

import importlib
import pkgutil
import sys
from importlib.metadata import distribution, entry_points
from pathlib import Path

PACKAGES = ("gofer", "gofer_sdk", "gofer_extensions")
GROUPS = ("gofer.scheduler_engines",)
# What a package needs beside its modules.
DATA = ("gofer/storage/migrations/0001_init.sql",)


def main() -> None:
    """Exit with a sentence for the first thing that is not as it should be."""
    site = Path(str(distribution("gofer").locate_file("")))
    for package in PACKAGES:
        found = importlib.import_module(package)
        _expect(
            Path(str(found.__file__)).is_relative_to(site), f"{package} is imported from elsewhere: {found.__file__}"
        )
        _expect((site / package / "py.typed").is_file(), f"{package} has no py.typed")
        for module in pkgutil.walk_packages(found.__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    for group in GROUPS:
        entries = entry_points(group=group)
        _expect(entries, f"no entry points in {group}")
        for entry in entries:
            entry.load()
    for name in DATA:
        _expect((site / name).is_file(), f"{name} is not in the wheel")
    _expect_commit(sys.argv[1])
    _expect(not (site / "tests").exists(), "the wheel brings its tests along")


def _expect_commit(built: str) -> None:
    found = importlib.import_module("gofer.commit").COMMIT
    _expect(found and built.startswith(found), f"it says that it was built from {found or 'nothing'}, not from {built}")


def _expect(holds: object, else_say: str) -> None:
    if not holds:
        sys.exit(f"the installed wheel: {else_say}")


if __name__ == "__main__":
    main()
