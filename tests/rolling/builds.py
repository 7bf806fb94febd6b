"""Builds of two versions, each from a git worktree with a venv of its own."""

import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos.worker_pool import WorkerBuild

from rolling.next_version import make_next_version

ROOT = Path(__file__).parents[2]
ZONES = ("supervisor", "runner", "sandbox", "profiles")
LOCK = "requirements/run.txt"


def newest_version() -> str:
    """The newest tag, or HEAD where there is none."""
    tags = _git("tag", "--list", "v*", "--sort=-version:refname").split()
    return tags[0] if tags else "HEAD"


@contextmanager
def two_builds(folder: Path, before: str) -> Iterator[tuple[WorkerBuild, WorkerBuild]]:
    """Version `before` (a tag or commit), and the next one. Their worktrees exist until the block ends."""
    trees = [folder / "before", folder / "next"]
    try:
        for tree, commit in zip(trees, (before, "HEAD"), strict=True):
            _git("worktree", "add", "--quiet", "--detach", str(tree), commit)
        make_next_version(trees[1])
        yield _build(trees[0]), _build(trees[1])
    finally:
        for tree in trees:
            if tree.exists():
                _git("worktree", "remove", "--force", str(tree))


def _build(tree: Path) -> WorkerBuild:
    """A venv for the tree. If its pinned packages are those of this repository, it uses what is installed here."""
    if (tree / LOCK).read_bytes() != (ROOT / LOCK).read_bytes():
        subprocess.run([tree / "install.sh", "dev"], check=True, stdout=sys.stderr)
        return WorkerBuild(tree / ".venv/bin/python", tree / "tests")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tree / ".venv"], check=True)
    python = tree / ".venv/bin/python"
    site = sysconfig.get_path("purelib", "venv", {"base": str(tree / ".venv"), "platbase": str(tree / ".venv")})
    paths = [*(str(tree / zone) for zone in ZONES), sysconfig.get_path("purelib")]
    (Path(site) / "rolling.pth").write_text("".join(f"{path}\n" for path in paths))
    return WorkerBuild(python, tree / "tests")


def origin_of(build: WorkerBuild) -> Path:
    """The file that a build imports as its supervisor."""
    program = "import pageworker_supervisor as p; print(p.__file__)"
    printed = subprocess.run([build.python, "-c", program], check=True, capture_output=True, text=True).stdout
    return Path(printed.strip())


def _git(*words: str) -> str:
    return subprocess.run(["git", "-C", ROOT, *words], check=True, capture_output=True, text=True).stdout
