"""The build's own step: the commit that is built goes into the wheel and the sdist, as a file of the package."""

import runpy
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitStamp(BuildHookInterface[Any]):
    """Writes the stamp outside the checkout, so that nothing in it changes and nothing stale is left."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the stamp, unless the source brings it along (it is an unpacked sdist) or nothing tells the commit."""
        package = Path(self.root) / "gofer"
        ours = runpy.run_path(str(package / "commit.py"))
        found = ours["built_from"](package)
        if version == "editable" or not found or (package / ours["STAMP"]).exists():
            return
        self._folder = tempfile.TemporaryDirectory(prefix="gofer-build-")
        stamp = Path(self._folder.name) / ours["STAMP"]
        stamp.write_text(f"{found}\n", encoding="utf-8")
        build_data["force_include"][str(stamp)] = f"gofer/{stamp.name}"
