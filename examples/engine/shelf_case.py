from pathlib import Path

from gofer_shelf import Shelf, create


class Case:
    kind = "secret_store"
    name = "shelf"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self) -> Shelf:
        return create({"folder": str(self._folder / "shelf")})
