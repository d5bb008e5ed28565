import subprocess
import sys

from tests.architecture.source import ROOT

BANNED = (
    "aiodocker",
    "aiohttp",
    "aiosqlite",
    "asyncio",
    "betterproto2",
    "grpclib",
    "hcl2",
    "logging",
    "sqlite3",
    "typer",
)

PROGRAM = """
import importlib, pkgutil, sys
sys.path[:0] = sys.argv[1:3]
import gofer.core
for module in pkgutil.walk_packages(gofer.core.__path__, "gofer.core."):
    importlib.import_module(module.name)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_importing_the_whole_core_loads_neither_the_event_loop_nor_a_library_of_the_shell() -> None:
    """What an import pulls in behind it, no rule about single imports can see."""
    [site_packages] = [path for path in sys.path if path.endswith("site-packages")][:1]
    # -S: an environment's own .pth files may import what they like.
    interpreter = [sys.executable, "-I", "-S", "-c", PROGRAM, str(ROOT), site_packages]

    loaded = subprocess.run(interpreter, check=True, capture_output=True, text=True).stdout.split()

    assert "gofer" in loaded
    assert [] == [name for name in BANNED if name in loaded]
