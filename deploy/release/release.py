"""Builds a release: `release.py [--snapshot] [--runtime NAME] FOLDER BASE [-- OPTION of podman build ...]`.

FOLDER/pageworker-VERSION then has wheel, sdist and SDK, the digests of both images, their parts lists, the notes of the
changelog, provenance and checksums. All of it appears at once, at the end. If it is there already, the new build is
compared with it, and nothing is replaced. docs/releases.md explains it.
"""

import argparse
import configparser
import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from deploy.container.sbom import describe
from deploy.release.changelog import ChangelogInvalid, notes_of
from deploy.release.packages import ROOT, PackageFailed, build_packages
from deploy.release.statement import ReleaseSource, release_statement

TARGETS = ("headless", "full")
IMAGES = "images.json"
PROVENANCE = "provenance.intoto.json"
CHECKSUMS = "SHA256SUMS"
LOCKS = ("requirements/run.txt",)
DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}")


class ReleaseRefused(Exception):
    """Why no release was built. The text says how to go on."""


@dataclass(frozen=True)
class ReleasePlan:
    """What is built. `prepare` checks it before anything is built."""

    source: ReleaseSource
    notes: str | None
    """Of the changelog; None for a snapshot."""

    @property
    def name(self) -> str:
        """The folder's name."""
        commit = f"-{self.source.commit[:12]}" if self.notes is None else ""
        return f"pageworker-{self.source.version}{commit}"


def prepare(root: Path, base: str, *, snapshot: bool) -> ReleasePlan:
    """Check all that can be checked before the build. Raises ReleaseRefused."""
    if not DIGEST.fullmatch(base):
        raise ReleaseRefused(
            f"BASE is '{base}'. Give a digest, NAME@sha256:…, so that the next build has the same base."
        )
    if changed := _git(root, "status", "--porcelain"):
        raise ReleaseRefused(f"The work tree differs from its commit. Commit or remove these first:\n{changed}")
    commit, version = _git(root, "rev-parse", "HEAD"), version_of(root)
    notes = None
    if not snapshot:
        try:
            notes = notes_of(version, (root / "CHANGELOG.md").read_text()).text
        except ChangelogInvalid as error:
            raise ReleaseRefused(f"{error} Or build a snapshot: RELEASE=--snapshot.") from error
        if (tagged := _git(root, "rev-list", "-1", f"v{version}", accepted=(0, 128))) not in ("", commit):
            raise ReleaseRefused(
                f"The tag v{version} is at {tagged}. Raise `version` in setup.cfg, or check out the tag."
            )
    return ReleasePlan(ReleaseSource(version, commit, base, {name: sha256(root / name) for name in LOCKS}), notes)


def version_of(root: Path) -> str:
    """The version of pageworker: setup.cfg has it, and no other file."""
    read = configparser.ConfigParser()
    read.read(root / "setup.cfg")
    return read["metadata"]["version"]


def write_metadata(folder: Path, plan: ReleasePlan, images: Mapping[str, str]) -> None:
    """Write what describes the files of `folder`: digests of images, notes, provenance, and last the checksums.

    `images`: digest of each image by its name.
    """
    (folder / IMAGES).write_text(_json(dict(images)))
    if plan.notes is not None:
        (folder / "NOTES.md").write_text(plan.notes)
    files = {file.name: sha256(file) for file in sorted(folder.iterdir())}
    (folder / PROVENANCE).write_text(_json(release_statement(plan.source, files, images)))
    files[PROVENANCE] = sha256(folder / PROVENANCE)
    (folder / CHECKSUMS).write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(files.items())))


def put(built: Path, target: Path) -> bool:
    """Move a finished folder to its place, in one step. Returns False if the same is there already.

    Raises ReleaseRefused if something else is there; it stays.
    """
    if not target.exists():
        built.chmod(0o755)
        built.rename(target)
        return True
    names = sorted({file.name for folder in (built, target) for file in folder.iterdir()})
    differing = [name for name in names if _bytes(built / name) != _bytes(target / name)]
    if differing:
        raise ReleaseRefused(
            f"{target} has other bytes than this build, and stays. They differ in: {', '.join(differing)}"
        )
    return False


def build(
    root: Path, folder: Path, plan: ReleasePlan, runtime: Sequence[str], options: Sequence[str]
) -> tuple[Path, bool]:
    """Build everything. Returns the release's folder, and whether it is new. Raises ReleaseRefused, PackageFailed.

    `runtime`: options of podman itself. `options`: those of `podman build`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".release-", dir=folder) as work:
        built = Path(work, plan.name)
        built.mkdir()
        build_packages(built, root)
        images = {}
        for target in TARGETS:
            image = f"localhost/pageworker:{target}"
            _call([str(root / "deploy/container/build.sh"), plan.source.base, target, *options])
            images[f"pageworker:{target}"] = _digest(image)
            (built / f"pageworker-{target}.cdx.json").write_text(_parts(image, runtime))
        write_metadata(built, plan, images)
        return folder / plan.name, put(built, folder / plan.name)


def sha256(file: Path) -> str:
    """The digest of a file, in hex."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _bytes(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def _json(value: object) -> str:
    return json.dumps(value, indent=1) + "\n"


def _git(root: Path, *words: str, accepted: Sequence[int] = (0,)) -> str:
    ended = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
    if ended.returncode not in accepted:
        raise ReleaseRefused(f"git {' '.join(words)}: {ended.stderr.strip()}")
    return ended.stdout.strip()


def _digest(image: str) -> str:
    command = ["podman", "image", "inspect", "--format", "{{.Digest}}", image]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def _parts(image: str, runtime: Sequence[str]) -> str:
    try:
        return _json(describe(image, runtime))
    except (subprocess.CalledProcessError, ValueError) as error:
        raise ReleaseRefused(f"The parts list of {image} cannot be made, see above: {error}") from error


def _call(command: Sequence[str]) -> None:
    # Its output is for the person who waits.
    if code := subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode:
        raise ReleaseRefused(f"{Path(command[0]).name} ended with {code}, see above. No release was written.")


def main() -> None:
    """Build the release that argv names, and print its folder."""
    words = argparse.ArgumentParser(prog="release.py")
    words.add_argument("folder", type=Path)
    words.add_argument("base")
    words.add_argument("--snapshot", action="store_true")
    words.add_argument("--runtime")
    words.add_argument("options", nargs="*")
    given = words.parse_args()
    # Else a build that is ended leaves its unfinished folder.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    runtime = ("--runtime", given.runtime) if given.runtime else ()
    try:
        plan = prepare(ROOT, given.base, snapshot=given.snapshot)
        if shutil.which("podman") is None:
            raise ReleaseRefused("podman is missing: apt install podman")
        target, new = build(ROOT, given.folder, plan, runtime, given.options)
    except (ReleaseRefused, PackageFailed) as error:
        sys.exit(f"release.py: {error}")
    sys.stdout.write(f"{target}: {'built' if new else 'the same bytes as before'}\n")


if __name__ == "__main__":
    main()
