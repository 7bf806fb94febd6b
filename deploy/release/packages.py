"""Builds the sdist, the wheel and the SDK's wheel: `packages.py FOLDER`. The same commit gives the same bytes.

The files are those that git tracks, as they are in the work tree. The wheel is built from the sdist, so the sdist has
all that a wheel needs. setuptools builds; no index is asked.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from deploy.release.archives import normalise_sdist

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300.0
HOOK = """
import sys
from setuptools import build_meta
print(getattr(build_meta, sys.argv[1])(sys.argv[2]))
"""
"""Calls a hook of PEP 517: `build_sdist` or `build_wheel`, and prints the name of what it made."""
SDK = ("runner/pyproject.toml", "runner/LICENSE", "runner/pageworker")


class PackageFailed(Exception):
    """A build did not succeed. The text has the end of its output."""


def build_packages(folder: Path, root: Path = ROOT) -> list[Path]:
    """Write the three packages into `folder`, which exists. Returns their paths. `root`: a work tree of git.

    Raises PackageFailed; then `folder` has none of them.
    """
    epoch = commit_seconds(root)
    with tempfile.TemporaryDirectory(prefix="pw-packages-") as work:
        source, unpacked, sdk, built = (Path(work, name) for name in ("source", "unpacked", "sdk", "built"))
        for each in (unpacked, sdk, built):
            each.mkdir()
        copy_tracked(root, source)
        sdist = built / _hook("build_sdist", source, built, epoch)
        sdist.write_bytes(normalise_sdist(sdist.read_bytes(), epoch))
        with tarfile.open(sdist) as archive:
            archive.extractall(unpacked)  # noqa: S202 - written above
        (inside,) = unpacked.iterdir()
        wheel = built / _hook("build_wheel", inside, built, epoch)
        for name in SDK:
            _copy(source / name, sdk / Path(name).name)
        sdk_wheel = built / _hook("build_wheel", sdk, built, epoch)
        return [Path(shutil.copy(each, folder)) for each in (sdist, wheel, sdk_wheel)]


def commit_seconds(root: Path = ROOT) -> int:
    """The date that everything gets: SOURCE_DATE_EPOCH, or that of the commit. Seconds since 1970.

    Raises PackageFailed.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH") or _run(["git", "log", "-1", "--format=%ct"], root)
    if not given.isdecimal():
        raise PackageFailed(f"SOURCE_DATE_EPOCH is {given!r}. Give seconds since 1970, or nothing.")
    return int(given)


def copy_tracked(root: Path, target: Path) -> None:
    """Copy what git tracks, with the rights that git knows. Raises PackageFailed."""
    for line in _run(["git", "ls-files", "-z", "--stage"], root).split("\0"):
        if not line:
            continue
        head, _, name = line.partition("\t")
        mode = head.split(" ")[0]
        copied = target / name
        copied.parent.mkdir(parents=True, exist_ok=True)
        if mode == "120000":
            copied.symlink_to((root / name).readlink())
        elif (root / name).is_file():
            shutil.copyfile(root / name, copied)
            copied.chmod(0o755 if mode == "100755" else 0o644)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def _hook(name: str, source: Path, built: Path, epoch: int) -> str:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "PYTHONHASHSEED": "0"}
    return _run([sys.executable, "-c", HOOK, name, str(built)], source, environment).splitlines()[-1]


def _run(command: Sequence[str], folder: Path, environment: dict[str, str] | None = None) -> str:
    try:
        ended = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, umask=0o022
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PackageFailed(f"{command[0]}: {error}") from error
    if ended.returncode:
        end = "\n".join((ended.stdout + ended.stderr).splitlines()[-20:])
        raise PackageFailed(f"{' '.join(command[:2])} in {folder} ended with {ended.returncode}:\n{end}")
    return ended.stdout.strip()


def main() -> None:
    """Write the packages into the folder argv[1], and print their paths."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    try:
        sys.stdout.writelines(f"{path}\n" for path in build_packages(folder))
    except PackageFailed as error:
        sys.exit(f"packages.py: {error}")


if __name__ == "__main__":
    main()
