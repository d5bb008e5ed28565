"""Packages that look installed, as far as their entry points go."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def install(project: Mapping[str, Any], site: Path) -> None:
    """Leave in a folder what the installation of a package leaves there about its entry points."""
    folder = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    (folder / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
            for group, entries in project["entry-points"].items()
        )
    )
