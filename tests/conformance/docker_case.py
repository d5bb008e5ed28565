from collections.abc import Mapping

from gofer.config.settings import DockerSettings
from gofer.engines.protocols import SchedulerEngine
from gofer.engines.scheduler.docker import create
from tests.conformance.cases import Behaviour

TEST_IMAGE = "gofer-test/busybox:1"


class DockerCase:
    """The daemon of this machine; containers without a network start sooner."""

    name = "docker"
    runs_commands = True
    image = TEST_IMAGE

    def make(self) -> SchedulerEngine:
        return create(DockerSettings(network="none"))

    def environment_for(self, behaviour: Behaviour) -> Mapping[str, str]:
        raise NotImplementedError
