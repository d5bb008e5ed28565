import pytest

from gofer.core.access import Caller
from gofer.core.errors import FailedPrecondition, PermissionDenied
from gofer.services.ingress import Ingress


def test_the_switch_goes_to_and_fro(caller: Caller) -> None:
    ingress = Ingress(is_open=True)
    ingress.require_open()

    assert not ingress.toggle(caller)
    with pytest.raises(FailedPrecondition, match="gofer service toggle-event-ingress"):
        ingress.require_open()

    assert ingress.toggle(caller)
    ingress.require_open()


def test_only_an_admin_may_switch(stranger: Caller) -> None:
    ingress = Ingress(is_open=False)

    with pytest.raises(PermissionDenied):
        ingress.toggle(stranger)

    assert not ingress.is_open
