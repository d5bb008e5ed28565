"""`import gofer_sdk` costs nothing until something is asked for."""

import subprocess
import sys

import gofer_sdk

SCRIPT = """
import sys
import gofer_sdk
heavy = {"asyncio", "ssl", "betterproto2", "grpclib", "gofer_sdk.client", "gofer_sdk._proto"}
print(sorted(heavy & set(sys.modules)))
assert gofer_sdk.GoferClient and gofer_sdk.proto.Run and gofer_sdk.errors.NotFound
"""


def test_importing_the_sdk_loads_neither_grpc_nor_the_messages() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_every_name_that_the_sdk_promises_is_there() -> None:
    for name in gofer_sdk.__all__:
        assert getattr(gofer_sdk, name) is not None
        assert name in dir(gofer_sdk)


def test_a_name_that_it_does_not_promise_is_not_there() -> None:
    assert not hasattr(gofer_sdk, "nonsense")
