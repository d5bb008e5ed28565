"""The sessions, each named by what it proves. `./dev nox -l` lists them; `./dev test` runs those tagged "test".

All but `package` run in the one environment that `./dev` makes, so that what is tested is what is locked.
"""

import os
import shutil
from pathlib import Path

import nox

ROOT = Path(__file__).parent
WORK = ROOT / ".dev"
MEMORY = Path("/dev/shm")  # noqa: S108 - each user's tests make a folder of their own in it
ENOUGH_BYTES = 2 * 1024**3

nox.options.default_venv_backend = "none"
nox.needs_version = ">=2026.10"


def pytest(session: nox.Session, folder: str, *arguments: str) -> None:
    """Run the tests of one folder; a folder that is not there yet is said, an empty one fails."""
    if not (ROOT / folder).is_dir():
        session.warn(f"nothing yet: there is no {folder}")
        return
    if os.environ.get("CI"):
        # A limit finds what hangs. What only takes longer, on a machine that others use too, is no fault.
        session.env.setdefault("PYTEST_TIMEOUT", "90")
    session.run("python", "-m", "pytest", folder, *arguments, *session.posargs)


def without_disk(session: nox.Session, folder: str) -> None:
    """Run tests that keep their files in memory, where that has room and lets programs run: nobody waits for a disk.

    An app starts and stops in a third of the time so. What is to outlive a kill is tested on a real disk.
    """
    found = os.statvfs(MEMORY) if os.access(MEMORY, os.W_OK) else None
    if found and found.f_bavail * found.f_frsize >= ENOUGH_BYTES and not found.f_flag & os.ST_NOEXEC:
        session.env.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    pytest(session, folder, "-o", "tmp_path_retention_policy=failed")


@nox.session(tags=["test"])
def lint(session: nox.Session) -> None:
    """The rules hold, and the formatter would change nothing."""
    session.run("ruff", "check")
    session.run("ruff", "format", "--check", "--quiet")
    session.run("python", "-m", "tests.architecture.figures")


@nox.session(tags=["test"])
def types(session: nox.Session) -> None:
    """Every value has the type that its reader expects."""
    session.run("mypy")


@nox.session(tags=["test"])
def imports(session: nox.Session) -> None:
    """Imports go one way, and the code keeps to its limits."""
    session.run("lint-imports", "--no-logo", "--cache-dir", str(WORK / "import-linter"))
    pytest(session, "tests/architecture")


@nox.session(tags=["test"])
def proto(session: nox.Session) -> None:
    """The generated code is what the protos say."""
    session.run("python", "protos/generate.py", "--check")


@nox.session(tags=["test"])
def unit(session: nox.Session) -> None:
    """Each part does what it promises."""
    without_disk(session, "tests/unit")


@nox.session(tags=["test"])
def service(session: nox.Session) -> None:
    """The API does what it promises, in one process with memory engines."""
    without_disk(session, "tests/service")


@nox.session(tags=["test"])
def conformance(session: nox.Session) -> None:
    """Every engine keeps the contract of its Protocol."""
    pytest(session, "tests/conformance")


@nox.session(tags=["test"])
def integration(session: nox.Session) -> None:
    """The whole works: real sockets, real containers, real kills."""
    pytest(session, "tests/integration")


@nox.session(tags=["test"])
def docs(session: nox.Session) -> None:
    """The documentation builds without a warning."""
    session.env["NO_MKDOCS_2_WARNING"] = "1"
    session.run("mkdocs", "build", "--quiet", "--strict", "-f", "docs/mkdocs.yml", "-d", str(WORK / "site"))


@nox.session(tags=["test"], venv_backend="venv")
def package(session: nox.Session) -> None:
    """The built wheel works where there is no source."""
    output = WORK / "dist"
    shutil.rmtree(output, ignore_errors=True)
    workshop = os.environ.get("VIRTUAL_ENV", str(ROOT / ".venv"))
    session.run(
        f"{workshop}/bin/python", "-m", "build", "--no-isolation", "--outdir", str(output), external=True, silent=True
    )
    (wheel,) = output.glob("*.whl")
    session.install("--quiet", "--require-hashes", "-r", "locks/runtime.txt")
    session.install("--quiet", "--no-deps", "--force-reinstall", str(wheel))
    commit = str(session.run("git", "rev-parse", "HEAD", external=True, silent=True)).strip()
    session.chdir(session.create_tmp())
    session.run("gofer", "--help", silent=True)
    session.run("python", "-m", "gofer", "--version")
    session.run("python", str(ROOT / ".ci/check_installed.py"), commit)


@nox.session
def coverage(session: nox.Session) -> None:
    """The tests reach 90 % of the code's branches, and 98 % of the core's (what a test kills records nothing)."""
    session.run("coverage", "erase")
    folders = [
        f"tests/{name}"
        for name in ("unit", "service", "conformance", "integration")
        if (ROOT / "tests" / name).is_dir()
    ]
    session.run("coverage", "run", "-m", "pytest", "--timeout=240", *folders, *session.posargs)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report", "--include=gofer/core/*", "--fail-under=98")
    session.run("coverage", "report", "--fail-under=90")


@nox.session
def fuzz(session: nox.Session) -> None:
    """Any input at all is refused or taken, however odd; GOFER_FUZZ_EXAMPLES of each kind (1,000 without it)."""
    session.env["GOFER_TEST_PROFILE"] = "fuzz"
    pytest(session, "tests", "-m", "fuzz", "--timeout=0")


@nox.session
def torture(session: nox.Session) -> None:
    """Nothing is lost or done twice, whatever is killed and however often (long)."""
    if not session.posargs:
        session.run("python", "-m", "tests.torture")
        session.run("python", "-m", "tests.torture.model")
    pytest(session, "tests/torture", "--timeout=0")


@nox.session
def bench(session: nox.Session) -> None:
    """What it costs, beside the floors of the same run: all of tests/benchmarks, or those named (and --quick)."""
    session.run("python", "-m", "tests.benchmarks.report", *session.posargs)
