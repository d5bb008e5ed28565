"""Whether the server takes new runs at all: one switch, in memory, set by the settings at each start."""

import structlog

from gofer.core.access import Caller
from gofer.core.errors import FailedPrecondition
from gofer.services.admission_gate import AdmissionGate

_log = structlog.get_logger(__name__)


class Ingress:
    """The switch. Runs that are stored already go on, and are admitted, whatever it says."""

    def __init__(self, *, is_open: bool, gate: AdmissionGate | None = None) -> None:
        """Begin open, or refuse new runs until `toggle` opens it; refuse them while `gate` is closed, too."""
        self._is_open = is_open
        self._gate = gate or AdmissionGate()

    @property
    def is_open(self) -> bool:
        """Whether new runs are taken."""
        return self._is_open and self._gate.is_open

    def toggle(self, caller: Caller) -> bool:
        """Refuse every new run from now on, or take them again; tell whether they are taken now.

        Raises `PermissionDenied` for whoever is no admin.
        """
        caller.require_admin()
        self._is_open = not self._is_open
        _log.warning("new runs are taken again" if self._is_open else "new runs are refused", by=caller.name)
        return self._is_open

    def require_open(self) -> None:
        """Raise `FailedPrecondition` where no new runs are taken."""
        if not self._gate.is_open:
            raise FailedPrecondition(
                "this server is about to stop and takes no new runs: start this one when the server is back"
            )
        if not self._is_open:
            raise FailedPrecondition(
                "this server takes no new runs now: its setting ignore_pipeline_run_events is on, or an administrator "
                "switched them off; `gofer service toggle-event-ingress` switches them on again"
            )
