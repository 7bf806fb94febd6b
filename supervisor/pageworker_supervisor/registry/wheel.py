"""Reads a wheel: which files of it go into a bundle, and why it is refused. Bytes in, files out. Pure.

Source: packaging.python.org, "Binary distribution format".
"""

import io
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pageworker_sandbox.signing import LIMITS, Mistake
from pageworker_sandbox.signing.archive import name_rule
from pageworker_supervisor.registry.lock_file import normalised

NATIVE_SUFFIXES = (".so", ".pyd", ".dylib", ".dll", ".a", ".lib", ".o")
_VERSIONED_LIBRARY = re.compile(r"\.so(\.[0-9]+)+$")
IN_SANDBOX = frozenset({"pageworker", "playwright", "msgspec"})
"""Packages that a module has without a lock file. A second copy would not know the objects of the first."""
LICENCES = re.compile(r"(licen[cs]e|copying|notice|authors)", re.IGNORECASE)
_HIDDEN = re.compile(r"\.[^.]")
"""Of a part of a name. `..` is not hidden but refused."""
_NAME = re.compile(
    r"(?P<name>[^-]+)-(?P<version>[^-]+)(?:-[0-9][^-]*)?-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>[^-]+)\.whl"
)


@dataclass(frozen=True)
class WheelName:
    """What the name of a wheel file says."""

    name: str
    """Normalised."""
    version: str
    pure: bool
    """For every platform, and for Python 3."""


def wheel_name(file: str) -> WheelName | None:
    """None: this is no name of a wheel."""
    parts = _NAME.fullmatch(file)
    if parts is None:
        return None
    python = any(tag.startswith("py3") for tag in parts["python"].split("."))
    pure = python and parts["abi"] == "none" and parts["platform"] == "any"
    return WheelName(normalised(parts["name"]), parts["version"], pure)


def is_native(name: str) -> bool:
    """Whether a file of this name is machine code, which no sandbox of a runner loads."""
    lower = name.lower()
    return lower.endswith(NATIVE_SUFFIXES) or _VERSIONED_LIBRARY.search(lower) is not None


def native_mistake(file: str, key: str = "") -> Mistake:
    """That a file is machine code."""
    return Mistake(
        file, key, "native code", "Python source", "use a pure-Python package, or do this work outside of the module"
    )


def wheel_files(file: str, untrusted_data: bytes) -> tuple[dict[str, bytes], tuple[Mistake, ...]]:
    """The files of a wheel that a module can import, by their name below the folder of dependencies, and every mistake.

    Left out: compiled files, scripts, and what installers read, except licences. `file` names the wheel in mistakes.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(untrusted_data)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if sum(entry.file_size for entry in entries) > LIMITS.bundle_bytes:
                most = f"at most {LIMITS.bundle_bytes} bytes, as a whole bundle"
                return {}, (Mistake(file, "", "more bytes unpacked", most),)
            members = {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError) as error:
        return {}, (Mistake(file, "", f"not a valid zip file: {error}", "a wheel"),)
    kept = {inside: data for name, data in members.items() if (inside := _place(name)) is not None}
    return kept, tuple(_mistakes(file, members, kept))


def _place(name: str) -> str | None:
    """The name of a file below the folder of dependencies. None: it is left out."""
    top, _, rest = name.partition("/")
    if top.endswith(".dist-info"):
        return name if LICENCES.match(rest.rpartition("/")[2]) and name_rule(name) is None else None
    if top.endswith(".data"):
        # `purelib` and `platlib` are installed as if they were at the top; scripts and headers are of no use here.
        kind, _, rest = rest.partition("/")
        return rest if kind in ("purelib", "platlib") and rest else None
    if name.endswith((".pyc", ".pyo")) or any(_HIDDEN.match(part) for part in name.split("/")):
        return None
    return name


def _mistakes(file: str, members: Mapping[str, bytes], kept: Mapping[str, bytes]) -> Iterator[Mistake]:
    yield from (native_mistake(f"{file}/{name}") for name in sorted(members) if is_native(name))
    for name in sorted(kept):
        if rule := name_rule(name):
            yield Mistake(f"{file}/{name}", "", "an invalid name", rule)
        elif len(kept[name]) > LIMITS.file_bytes:
            yield Mistake(f"{file}/{name}", "", f"{len(kept[name])} bytes", f"at most {LIMITS.file_bytes}")
    for top in sorted({name.partition("/")[0].removesuffix(".py") for name in kept}):
        if top in IN_SANDBOX:
            yield Mistake(file, top, "a package that every sandbox has", "another one", f"leave {top} out of the lock")
        elif top in sys.stdlib_module_names:
            yield Mistake(file, top, "the name of a module of the standard library", "another one")
