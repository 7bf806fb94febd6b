"""What the checks of this folder read: the source files, the documents, the words in them."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ZONES = ("supervisor", "runner", "sandbox", "profiles")

IMPURE = frozenset({"asyncio", "socket", "subprocess", "redis", "playwright"})
"""A file that imports one of these has effects. A file that imports none is pure, and has a test file of its own."""


def tracked(*patterns: str) -> list[Path]:
    """The repository's files that match, as git knows them."""
    command = ("git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns)
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def source_files() -> list[Path]:
    """Every Python file of the four zones that holds code: a package's `__init__` with imports alone does not."""
    files = tracked(*(f"{zone}/*.py" for zone in ZONES))
    return [file for file in files if any(isinstance(node, CODE) for node in tree(file).body)]


CODE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def tree(file: Path) -> ast.Module:
    """The file, parsed."""
    return ast.parse(file.read_text(), str(file))


def imported(module: ast.Module) -> set[str]:
    """Top-level names of the packages that a file imports when it is imported."""
    found: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.partition(".")[0])
    return found


def is_pure(file: Path) -> bool:
    """No file, socket, process, database or browser is touched through this file's own imports."""
    return not imported(tree(file)) & IMPURE


def tests_of(file: Path) -> list[Path]:
    """`tests/…/test_<name>.py` below a folder that carries the name of the file's package, or of a package above it."""
    zone = next(zone for zone in ZONES if file.is_relative_to(ROOT / zone))
    packages = file.relative_to(ROOT / zone).parts[:-1]
    folders = {part.removeprefix("pageworker_") for part in packages} | {zone}
    return [
        test
        for test in tracked(f"tests/**/test_{file.stem}.py", f"tests/test_{file.stem}.py")
        if folders & set(test.relative_to(ROOT / "tests").parts[:-1])
    ]


def class_definitions() -> Iterator[tuple[str, Path]]:
    """Name and file of every class of the four zones, nested ones included."""
    for file in tracked(*(f"{zone}/*.py" for zone in ZONES)):
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.ClassDef):
                yield node.name, file


_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def words(line: str) -> list[str]:
    """Lower-case words of a line; `RunnerSlot` and `runner_slot` are two each."""
    return [part.lower() for part in _PARTS.findall(line)]
