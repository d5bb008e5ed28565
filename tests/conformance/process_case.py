from collections.abc import Mapping
from pathlib import Path

from gofer.config.settings import ProcessSettings
from gofer.engines.protocols import SchedulerEngine
from gofer.engines.scheduler.process import create
from tests.conformance.cases import Behaviour


class ProcessCase:
    name = "process"
    runs_commands = True
    image = "none"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self) -> SchedulerEngine:
        return create(ProcessSettings(folder=str(self._folder)))

    def environment_for(self, behaviour: Behaviour) -> Mapping[str, str]:
        raise NotImplementedError
