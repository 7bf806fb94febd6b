"""What the checks of this folder read: the source files, their imports and classes, their test files."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ZONES = ("supervisor", "runner", "sandbox", "profiles")

IMPURE = frozenset({"asyncio", "socket", "subprocess", "redis", "playwright"})
"""A file that imports one of these has effects. A file that imports none is pure, and has a test file of its own."""


@cache
def tracked(*patterns: str) -> tuple[Path, ...]:
    """The repository's files that match, as git lists them: committed and new ones, without the ignored."""
    command = ("git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns)
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return tuple(ROOT / name for name in names if (ROOT / name).is_file())


def relative(file: Path) -> str:
    """The path from the repository's root."""
    return str(file.relative_to(ROOT))


def zone_files() -> tuple[Path, ...]:
    """Every Python file of the four zones."""
    return tracked(*(f"{zone}/*.py" for zone in ZONES))


def source_files() -> list[Path]:
    """Every Python file of the four zones that holds code: a package's `__init__` with imports alone does not."""
    return [file for file in zone_files() if any(isinstance(node, CODE) for node in tree(file).body)]


CODE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@cache
def tree(file: Path) -> ast.Module:
    """The file, parsed."""
    return ast.parse(file.read_text(), str(file))


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every statement within a module or a statement. Expressions hold none, and are most of a file."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield child
            yield from statements(child)


def imported(module: ast.Module) -> set[str]:
    """Full names of the modules that a file imports, inside functions too; `from a import b` gives `a` and `a.b`."""
    found: set[str] = set()
    for node in statements(module):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def is_pure(file: Path) -> bool:
    """Whether the file's own imports touch no file, socket, process, database or browser."""
    return not {name.partition(".")[0] for name in imported(tree(file))} & IMPURE


def own_tests(file: Path) -> list[Path]:
    """`tests/…/test_<name>.py` below a folder that carries the name of the file's package, or of a package above it."""
    zone = next(zone for zone in ZONES if file.is_relative_to(ROOT / zone))
    packages = file.relative_to(ROOT / zone).parts[:-1]
    folders = {part.removeprefix("pageworker_") for part in packages} | {zone}
    named = _tests_by_name().get(f"test_{file.stem}.py", ())
    return [test for test in named if folders & set(test.relative_to(ROOT / "tests").parts[:-1])]


@cache
def _tests_by_name() -> dict[str, list[Path]]:
    """All files below `tests/`, by their names."""
    found: dict[str, list[Path]] = {}
    for test in tracked("tests/*.py"):
        found.setdefault(test.name, []).append(test)
    return found


_CLASS = re.compile(r"^\s*class (\w+)", re.MULTILINE)


def doubled_classes() -> dict[str, list[str]]:
    """Classes that are defined more than once in the repository, nested ones, tests and benchmarks included; and where.

    A line that looks like one may be in a text. So the files of names that occur twice are parsed, and no others.
    """
    named: dict[str, list[Path]] = {}
    for file in tracked("*.py"):
        for name in _CLASS.findall(file.read_text()):
            named.setdefault(name, []).append(file)
    doubtful = {file for files in named.values() if len(files) > 1 for file in files}
    defined: dict[str, list[str]] = {}
    for file in sorted(doubtful):
        for node in statements(ast.parse(file.read_text(), str(file))):
            if isinstance(node, ast.ClassDef):
                defined.setdefault(node.name, []).append(relative(file))
    return {name: files for name, files in defined.items() if len(files) > 1}


_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def words(line: str) -> list[str]:
    """Lower-case words of a line; `RunnerSlot` and `runner_slot` are two each."""
    return [part.lower() for part in _PARTS.findall(line)]
