from collections.abc import Mapping

from gofer.clock import SystemClock
from gofer.engines.protocols import SchedulerEngine
from gofer.engines.scheduler.memory import MemoryEngine
from gofer.engines.scheduler.memory_script import MemoryKey, encode_output
from tests.conformance.cases import Behaviour


class MemoryCase:
    name = "memory"
    runs_commands = False
    image = "none"

    def make(self) -> SchedulerEngine:
        return MemoryEngine(clock=SystemClock())

    def environment_for(self, behaviour: Behaviour) -> Mapping[str, str]:
        return {
            MemoryKey.OUTPUT: encode_output(behaviour.output),
            MemoryKey.EXIT_CODE: str(behaviour.exit_code),
            MemoryKey.HOLD: str(behaviour.holds),
            MemoryKey.IGNORE_SIGTERM: str(behaviour.ignores_sigterm),
        }
