"""Everything that the guide tells its readers to do is done here, and shows what the guide says."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeGuard

import pytest

from tests.integration.docs.page import PAGES, ROOT, Command, Fragment, blocks_of, steps_of
from tests.integration.docs.reader import Reader
from tests.integration.docs.shown import is_as_shown

FOLLOWED: Final = [
    ROOT / "README.md",
    *sorted(path for folder in ("guide", "howto", "concepts") for path in (PAGES / folder).glob("*.md")),
]
SECONDS: Final = 300
READERS: Final = 3

RUN_ELSEWHERE: Final = {
    "./dev demo": "tests/integration/test_demo.py",
    "python3 -m venv ~/gofer": "noxfile.py",  # the session `package` installs the wheel, from the network
    "~/gofer/bin/pip install .": "noxfile.py",
    "PATH=~/gofer/bin:$PATH": "noxfile.py",
    "grpcurl -insecure localhost:8080 list": "tests/service/test_reflection.py",
    "grpcurl -insecure localhost:8080 describe proto.StartRunRequest": "tests/service/test_reflection.py",
    "grpcurl -insecure localhost:8080 proto.Gofer/GetSystemInfo": "tests/service/test_reflection.py",
    "gofer taskrun attach slow 4 work": "tests/integration/cli/test_attach.py",
    "gofer up examples/hello_go": "tests/integration/cli/test_up_languages.py",
    "gofer up examples/hello_rust": "tests/integration/cli/test_up_languages.py",
    **dict.fromkeys(
        (
            "./dev torture --engine process --signal kill",
            "./dev torture --engine memory --signal both --seed 600000 --kills 20 --lives 20",
            "./dev soak --into docs/pages/concepts/torture.md",
        ),
        "tests/integration/recovery/test_torture.py",
    ),
    **dict.fromkeys(
        (
            "gofer service start --config /etc/gofer/gofer.hcl",
            "gofer service token bootstrap --host localhost:8080",
            "gofer service token create client --namespaces team_a,team_b --expiry 720h --metadata owner:anna",
            "gofer service token create management --expiry 24h",
            "gofer service token list --all",
            "gofer service token disable 5d41402abc4b",
            "gofer service token delete 5d41402abc4b --yes",
            "gofer service token whoami",
        ),
        "tests/integration/cli/test_production.py",
    ),
    **dict.fromkeys(
        (
            "gofer service init-config --filepath /etc/gofer/gofer.hcl",
            "gofer service check-config --config /etc/gofer/gofer.hcl",
            "runuser -u gofer -- /opt/gofer/bin/gofer service check-config --config /etc/gofer/gofer.hcl",
            "gofer service backup /var/backups/gofer-monday --config /etc/gofer/gofer.hcl",
            "gofer service restore /var/backups/gofer-monday --config /etc/gofer/gofer.hcl",
        ),
        "tests/integration/cli/test_production.py",
    ),
    "./dev environment": "dev.d/environment",  # begins every ./dev test
    "GOFER_TEST_ENGINE=shelf_case:Case PYTHONPATH=examples/engine .venv/bin/python -m pytest tests/conformance": (
        "tests/conformance/test_given_engine.py"
    ),
    "gofer service stop --drain --timeout 30m": "tests/integration/cli/test_service.py",
    **dict.fromkeys(
        (  # of a system's administrator; the unit itself is checked there
            "useradd --system --home-dir /var/lib/gofer --shell /usr/sbin/nologin gofer",
            "install -d -m 0750 -g gofer /etc/gofer",
            "install -d -m 0700 -o gofer -g gofer /var/lib/gofer",
            "chgrp gofer /etc/gofer/gofer.hcl",
            "chmod 0640 /etc/gofer/gofer.hcl",
            "(umask 077 && openssl rand -hex 16 > /etc/gofer/encryption.key)",
            "cp /opt/gofer/share/gofer/gofer.service /etc/systemd/system/",
            "systemctl daemon-reload",
            "systemctl enable --now gofer",
            "systemctl reload gofer",
        ),
        "tests/unit/test_unit_file.py",
    ),
}
"""Commands of the guide that need the network, other tools or another environment, and what runs the like of them."""


@pytest.fixture(scope="module")
def followed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[Path, Future[None]]]:
    """The pages that were asked for, followed by a few readers at a time, who wait a lot."""
    asked = [item.callspec.params["page"] for item in request.session.items if _follows(item)]
    pages = [page for page in FOLLOWED if page in asked]
    with ThreadPoolExecutor(max_workers=READERS) as readers:
        yield {page: readers.submit(_follow, page, tmp_path_factory.mktemp(page.stem)) for page in pages}


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_a_reader_can_follow_the_page(page: Path, followed: Mapping[Path, Future[None]]) -> None:
    followed[page].result()


def _follows(item: pytest.Item) -> TypeGuard[pytest.Function]:
    return isinstance(item, pytest.Function) and item.function is test_a_reader_can_follow_the_page


def _follow(page: Path, folder: Path) -> None:
    steps = steps_of(page)
    fragments: list[Fragment] = []
    with Reader(folder) as reader:
        if steps and not any(isinstance(step, Command) and "service start" in step.text for step in steps):
            reader.start_server()
        for step in steps:
            if isinstance(step, Fragment):
                fragments.append(step)
                continue
            if fragments:
                reader.take_fragments(fragments)
                fragments = []
            reader.take(step)
        if fragments:
            reader.take_fragments(fragments)


@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_no_command_of_the_page_escapes(page: Path) -> None:
    """Commands stand in `console` blocks, where they are run; what can't be run here is run elsewhere."""
    blocks = list(blocks_of(page.read_text(encoding="utf-8")))
    shell = [line for block in blocks if block.kind in {"sh", "bash", "shell"} for line in block.lines if line]

    assert [] == [line for line in shell if line not in RUN_ELSEWHERE]
    assert {"console", "python", "sh", "hcl", "text", "toml", "go", "rust"} >= {block.kind for block in blocks}
    assert all(block.lines[0].startswith("$ ") for block in blocks if block.kind == "console")


def test_what_runs_the_other_commands_is_there() -> None:
    assert [] == [path for path in RUN_ELSEWHERE.values() if not (ROOT / path).is_file()]


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        (["Started  now"], "Started  12 seconds ago"),
        (["a  0.01s  0"], "a  12.5s     0"),
        (["a", "...", "z"], "a\nb\nc\nz\n"),
        (["a", "...", "z"], "a\nz\n"),
        (["Instance ..."], "Instance   9d9bf7080008\n"),
        (["a", ""], "a\n"),
    ],
)
def test_what_differs_each_time_is_as_shown(shown: list[str], real: str) -> None:
    assert is_as_shown(shown, real, any_order=False)


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        (["a"], "a\nb\n"),
        (["a", "b"], "a\n"),
        (["State  Failed"], "State  Successful"),
        (["exit code 3"], "exit code 4"),
        (["a", "...", "z"], "a\nz\nb\n"),
    ],
)
def test_what_is_otherwise_is_not_as_shown(shown: list[str], real: str) -> None:
    assert not is_as_shown(shown, real, any_order=False)
