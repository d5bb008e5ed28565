"""Send what nobody has thought of: any input at all, made by chance, and then by what it reaches in the code.

    ./dev fuzz [--examples N] [--seconds N] [--jobs N] [TARGET ...]
    ./dev fuzz --repeat TARGET FILE

The first part are the tests marked `fuzz`, with so many examples each. The second are the targets of `tests/fuzz`,
each for so many seconds: what gets further than anything before is kept below .dev/fuzz and changed again. An input
that breaks a promise is kept there too, and the command that repeats it is printed. Targets that are named are run
alone, without the first part.
"""

import argparse
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.fuzz.target import NAMES, Target, load

ROOT: Final = Path(__file__).resolve().parents[2]
WORK: Final = ROOT / ".dev" / "fuzz"
IN_MEMORY: Final = Path("/dev/shm")  # some targets write a file for each input
PATIENCE_SECONDS: Final = 60  # for one input: what takes longer hangs
MEMORY_MB: Final = 2048
LIMITS: Final = (f"-timeout={PATIENCE_SECONDS}", f"-rss_limit_mb={MEMORY_MB}", f"-report_slow_units={PATIENCE_SECONDS}")
KEPT: Final = re.compile(r"Test unit written to (\S+)")
PROGRESS: Final = re.compile(r"#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+) corp: (\d+)")
MISSING: Final = (
    "fuzz: the second part, led by coverage, needs atheris, which is not installed in {python}\n"
    "fuzz: (CPython 3.11 to 3.13 on Linux, x86-64 and glibc, has it from `./dev fuzz`). --seconds 0 leaves it out."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a target: inputs tried, edges of the code and finer features seen, inputs kept; where it broke."""

    name: str
    runs: int
    edges: int
    features: int
    kept: int
    broken_by: Path | None
    output: str
    failed: bool

    def lines(self) -> Iterator[str]:
        """Say it, and how to repeat what broke."""
        counted = f"{self.runs:,} inputs, {self.edges:,} edges, {self.features:,} features, {self.kept:,} kept"
        yield f"{self.name:<14} {counted}: {'FAILED' if self.failed else 'ok'}"
        if self.failed:
            yield from (f"    {line}" for line in self.output.splitlines()[-30:])
        if self.broken_by is not None:
            yield f"    repeat it: ./dev fuzz --repeat {self.name} {self.broken_by.relative_to(ROOT)}"


def read_outcome(name: str, output: str, status: int) -> Outcome:
    """Read what libFuzzer has told, and its exit status."""
    progress = PROGRESS.findall(output)
    runs, edges, features, kept = map(int, progress[-1]) if progress else (0, 0, 0, 0)
    found = [path for path in KEPT.findall(output) if status != 0]  # what was only slow is kept, too
    return Outcome(
        name=name,
        runs=runs,
        edges=edges,
        features=features,
        kept=kept,
        broken_by=Path(found[-1]) if found else None,
        output=output,
        failed=status != 0 or not progress,
    )


def run_target(name: str, seconds: int) -> Outcome:
    """Fuzz one target for so long, from its seeds and from what earlier times have kept."""
    folder, target = WORK / name, load(name)
    corpus, seeds = folder / "corpus", folder / "seeds"
    _write_seeds(target, corpus, seeds)
    options = [*LIMITS, f"-max_total_time={seconds}", f"-max_len={target.max_bytes}", f"-artifact_prefix={folder}/"]
    if target.words:
        dictionary = folder / "words"
        dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
        options.append(f"-dict={dictionary}")
    options += [str(corpus), str(seeds)]
    done = _one(name, *options, output=subprocess.PIPE)
    return read_outcome(name, done.stdout, done.returncode)


def _one(name: str, *options: str, output: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run a target in a process of its own, whose temporary files are gone with it."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None, prefix="gofer-fuzz-") as folder:
        return subprocess.run(
            [sys.executable, "-m", "tests.fuzz.one", name, *options],
            cwd=ROOT,
            env=os.environ | {"TMPDIR": folder},
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            text=True,
            errors="replace",
            check=False,
        )


def _write_seeds(target: Target, corpus: Path, seeds: Path) -> None:
    corpus.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(seeds, ignore_errors=True)
    seeds.mkdir()
    for number, content in enumerate(target.seeds()):
        (seeds / str(number)).write_bytes(content)


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


def guided(names: Sequence[str], seconds: int, jobs: int) -> bool:
    """Fuzz the targets, some at a time; whether no promise was broken."""
    if importlib.util.find_spec("atheris") is None:
        print(
            MISSING.format(python=f"this {platform.python_implementation()} {platform.python_version()}"),
            file=sys.stderr,
        )
        return False
    print(f"fuzz: {len(names)} targets, each for {seconds} s, {jobs} at a time", flush=True)
    fine = True
    with ThreadPoolExecutor(jobs) as pool:
        for outcome in pool.map(lambda name: run_target(name, seconds), names):
            print("\n".join(outcome.lines()), flush=True)
            fine = fine and not outcome.failed
    return fine


def by_chance(examples: int) -> bool:
    """Run the tests marked `fuzz`."""
    environment = os.environ | {"GOFER_FUZZ_EXAMPLES": str(examples)}
    return subprocess.run(["nox", "-s", "fuzz"], cwd=ROOT, env=environment, check=False).returncode == 0


def main() -> int:
    """Do what the command line asks for; the exit status."""
    parser = argparse.ArgumentParser(prog="./dev fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"only these, of {', '.join(NAMES)}")
    parser.add_argument("--examples", type=int, default=1000, help="of each kind of input, made by chance (0: none)")
    parser.add_argument("--seconds", type=int, default=60, help="for each target, led by coverage (0: none)")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time")
    parser.add_argument("--repeat", nargs=2, metavar=("TARGET", "FILE"), help="check what one file holds")
    asked = parser.parse_args()
    unknown = sorted({*asked.targets, *(asked.repeat or [NAMES[0]])[:1]} - {*NAMES})
    if unknown:
        parser.error(f"there is no target {unknown[0]}: there are {', '.join(NAMES)}")
    if asked.repeat:
        name, file = asked.repeat
        return _one(name, "--repeat", str(Path(file).resolve())).returncode
    fine = bool(asked.targets) or not asked.examples or by_chance(asked.examples)
    if asked.seconds:
        fine = guided(asked.targets or NAMES, asked.seconds, asked.jobs) and fine
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
