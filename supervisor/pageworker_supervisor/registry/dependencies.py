"""Finds the wheels that a lock file names: in a folder, or by pip from the index that it is configured with."""

import hashlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pageworker_sandbox.signing import Mistake
from pageworker_sandbox.wire.bundle_layout import VENDORED
from pageworker_supervisor.registry.lock_file import FILE, LockedRequirement, normalised, parse_lock
from pageworker_supervisor.registry.wheel import native_mistake, wheel_files, wheel_name

KEPT = Path(".pageworker", "wheels")
"""In the module's folder. Hidden, so it is not packed. Wheels that pip has fetched stay here."""
FETCH_SECONDS = 300.0
MAX_WHEEL_BYTES = 64 * 1024 * 1024

FoundWheel = tuple[str, bytes]
"""File name and bytes."""


def vendored(folder: Path, wheels: Path | None, mistakes: list[Mistake]) -> dict[str, bytes]:
    """The files of all dependencies, by their name in the bundle. Empty: the folder has no lock file.

    `wheels`: the folder to take wheels from. None: pip fetches those that are not kept from an earlier call.
    """
    lock = folder / FILE
    if not lock.is_file():
        return {}
    requirements, wrong = parse_lock(lock.read_text(errors="replace"))
    mistakes += wrong
    if wrong:
        return {}
    found = _from_folder(requirements, folder / KEPT if wheels is None else wheels)
    if wheels is None and (missing := [each for each in requirements if each.name not in found]):
        mistakes += _fetch(missing, folder / KEPT)
        found = _from_folder(requirements, folder / KEPT)
        if mistakes:
            return {}
    return dict(_files(requirements, found, mistakes, "pip" if wheels is None else str(wheels)))


def _files(
    requirements: Iterable[LockedRequirement], found: dict[str, FoundWheel], mistakes: list[Mistake], place: str
) -> Iterator[tuple[str, bytes]]:
    owners: dict[str, str] = {}
    for requirement in requirements:
        if requirement.name not in found:
            mistakes.append(_missing(requirement, place))
            continue
        file, data = found[requirement.name]
        name = wheel_name(file)
        if name is None or not name.pure:
            mistakes.append(native_mistake(f"{FILE}:{requirement.line}", file))
            continue
        files, wrong = wheel_files(file, data)
        mistakes += wrong
        for inside, content in files.items():
            if owners.setdefault(inside, file) != file:
                mistakes.append(Mistake(f"{file}/{inside}", "", f"a file that {owners[inside]} has too", "one of them"))
            yield f"{VENDORED}/{inside}", content


def _from_folder(requirements: Iterable[LockedRequirement], folder: Path) -> dict[str, FoundWheel]:
    """The wheel of each requirement, by name. Of several that the lock permits, a pure one, then the first by name."""
    by_digest: dict[str, FoundWheel] = {}
    for path in sorted(folder.glob("*.whl")):
        if path.stat().st_size <= MAX_WHEEL_BYTES:
            data = path.read_bytes()
            by_digest.setdefault(hashlib.sha256(data).hexdigest(), (path.name, data))
    found = {}
    for requirement in requirements:
        fitting = [by_digest[sha256] for sha256 in requirement.sha256s & by_digest.keys()]
        if fitting:
            found[requirement.name] = min(fitting, key=lambda wheel: (not _is_pure(wheel[0]), wheel[0]))
    return found


def _is_pure(file: str) -> bool:
    name = wheel_name(file)
    return name is not None and name.pure


def _missing(requirement: LockedRequirement, place: str) -> Mistake:
    return Mistake(
        f"{FILE}:{requirement.line}",
        requirement.name,
        f"no wheel of {requirement.name} {requirement.version} with a SHA-256 of the lock in {place}",
        "a py3-none-any wheel",
        f"`pip download --no-deps {requirement.name}=={requirement.version}` fetches it",
    )


def _fetch(requirements: Sequence[LockedRequirement], into: Path) -> list[Mistake]:
    """Have pip fetch pure wheels. The mistake of one that it cannot fetch: pip stops at the first."""
    into.mkdir(parents=True, exist_ok=True)
    # For any platform: pip then takes no wheel with native code.
    options = ("--no-deps", "--only-binary=:all:", "--platform=any", "--require-hashes", "--quiet")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", *options, "--dest", str(into)]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(map(_line, requirements))
        file.flush()
        try:
            done = subprocess.run(
                [*command, "-r", file.name], capture_output=True, text=True, check=False, timeout=FETCH_SECONDS
            )
        except subprocess.TimeoutExpired:
            return [_unfetched(requirements[0], f"no answer within {FETCH_SECONDS:g} s")]
    if done.returncode == 0:
        return []
    why = next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), "pip failed")
    meant = (each for each in requirements if re.search(rf"\b{re.escape(each.name)}\b", normalised(why)))
    return [_unfetched(next(meant, requirements[0]), why)]


def _line(requirement: LockedRequirement) -> str:
    hashes = " ".join(f"--hash=sha256:{sha256}" for sha256 in sorted(requirement.sha256s))
    return f"{requirement.name}=={requirement.version} {hashes}\n"


def _unfetched(requirement: LockedRequirement, why: str) -> Mistake:
    return Mistake(
        f"{FILE}:{requirement.line}",
        requirement.name,
        why[:300],
        "a py3-none-any wheel: code that is native is not loaded by a runner",
        "check pip's index, or give a folder of wheels: --wheels DIR",
    )
