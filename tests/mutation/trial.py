"""A copy of the tree, with or without a mutation, and what its tests say."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mutation import plugin
from mutation.mutant import Mutant

ROOT = Path(__file__).parents[2]
TEST_SECONDS = 60
TRIAL_SECONDS = 300
TESTS_FAILED = 1
"""pytest's exit code; 2 and above are its own troubles: https://docs.pytest.org/en/stable/reference/exit-codes.html"""
NONSENSE = ("SyntaxError", "NameError", "Error compiling function", "nonexistent global variable")


@dataclass(frozen=True)
class MutantOutcome:
    """What pytest said. `strange`: modules of ours that did not come from the copy."""

    code: int
    seen: frozenset[str]
    failed: frozenset[str]
    strange: tuple[str, ...]
    output: str

    def catches(self, mutant: Mutant) -> bool:
        """Each named test ran and failed, and not because what stands there now is no program."""
        nonsense = any(word in self.output for word in NONSENSE)
        return self.code == TESTS_FAILED and not self.strange and not nonsense and set(mutant.tests) <= self.failed

    def passes(self, tests: Iterable[str]) -> bool:
        """Each test ran and none failed."""
        return self.code == 0 and not self.strange and set(tests) <= self.seen


def mutated(text: str, mutant: Mutant) -> str:
    """The file without its protection. Raises LookupError unless `old` is there exactly once."""
    if (count := text.count(mutant.old)) != 1:
        raise LookupError(f"{mutant.file} has this {count} times: {mutant.old!r}")
    return text.replace(mutant.old, mutant.new)


def attempt(tests: Iterable[str], mutant: Mutant | None = None) -> MutantOutcome:
    """Run tests in a copy of their own."""
    with _copy() as tree:
        if mutant is not None:
            file = tree / mutant.file
            file.write_text(mutated(file.read_text(), mutant))
        return _pytest(tree, sorted(set(tests)))


@contextmanager
def _copy() -> Iterator[Path]:
    """The repository's files as they are now, committed or not, but for ignored ones."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    with tempfile.TemporaryDirectory(prefix="pw-mutant-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # Some tests start their interpreter as another user.
        tree = Path(folder).resolve() / "tree"
        for name in filter(None, listed.split("\0")):
            source, target = ROOT / name, tree / name
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        (tree / ".venv").symlink_to(ROOT / ".venv")
        yield tree


def _pytest(tree: Path, tests: list[str]) -> MutantOutcome:
    report = tree.parent / "report.json"
    environment = os.environ | {
        "PYTHONPATH": str(tree / "tests"),
        "PYTHONDONTWRITEBYTECODE": "1",
        plugin.REPORT: str(report),
    }
    options = ["-q", "-p", "mutation.plugin", "-p", "no:cacheprovider", "--timeout", str(TEST_SECONDS), "--tb=line"]
    try:
        done = subprocess.run(
            [str(tree / ".venv" / "bin" / "python"), "-m", "pytest", *options, *tests],
            cwd=tree,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=TRIAL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return MutantOutcome(-1, frozenset(), frozenset(), (), f"not done after {TRIAL_SECONDS} s")
    told = json.loads(report.read_text()) if report.exists() else {"seen": [], "failed": [], "strange": []}
    seen, failed = frozenset(told["seen"]), frozenset(told["failed"])
    return MutantOutcome(done.returncode, seen, failed, tuple(told["strange"]), done.stdout)
