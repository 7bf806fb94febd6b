"""The module versions of this runner: announced by a Module, imported for their first attempt, unloaded by a Forget.

An attempt holds its version when its Run arrives, before any later message is read. So the order of messages alone
decides: a Forget that comes after a Run takes effect when that attempt has ended.
"""

import re
from contextvars import Context, copy_context
from dataclasses import dataclass, field

from pageworker.deprecations import DEPRECATED, announced
from pageworker_runner.errors import ModuleBroken
from pageworker_runner.interpreter.state import SettingChange
from pageworker_runner.modules.bundle import LoadedBundle
from pageworker_runner.modules.entrypoint import ModuleEntrypoint, load
from pageworker_runner.modules.importer import BundleImporter, versioned_name

REQUESTS = re.compile(rb"""[.'"]requests\b""")
"""`page.requests`, or its name for `getattr`. What it finds too much costs its module some time."""


@dataclass(eq=False)
class ModuleVersion:
    """One version of one module."""

    package: str
    """The package that its files are imported below; "" if the runner does not have the version."""
    label: str
    """`name@version`, for messages."""
    entrypoint: str
    loaded: ModuleEntrypoint | None = None
    """None until its first attempt."""
    context: Context = field(default_factory=Context)
    """Context variables as the import has set them, such as the precision of `decimal`. Each attempt gets a copy."""
    settings: tuple[SettingChange, ...] = ()
    """Of the whole process, as the import has set them. They are set again for each attempt."""
    expect_timeout: float | None = None
    """Milliseconds, as the import has set it by Playwright's `expect.set_options`."""
    deprecated: list[str] = field(default_factory=list)
    """A warning for each line of its source that names something deprecated. Known once it is imported."""
    asks_for_requests: bool = False
    """Whether its source has a call of `page.requests`. Known once it is imported."""
    broken: str | None = None
    """Why it cannot be imported. It is not tried again."""
    holders: int = 0
    """Attempts that use it."""
    forgotten: bool = False


class Catalog:
    """All versions, by name and version."""

    def __init__(self) -> None:
        self._importer = BundleImporter()
        self._versions: dict[tuple[str, str], ModuleVersion] = {}

    def add(self, name: str, version: str, sha256: str, entrypoint: str, data: bytes) -> None:
        """Take a verified bundle. Whatever is wrong with it is reported by the first attempt that uses it."""
        package = versioned_name(name, version, sha256)
        known = self._versions.get((name, version))
        if known is not None and known.package.rstrip("_") == package:
            return
        while self._importer.has(package):
            # The version was forgotten and is sent again while an attempt still uses the forgotten one.
            package += "_"
        added = ModuleVersion(package, f"{name}@{version}", entrypoint)
        try:
            self._importer.add(package, LoadedBundle(added.label, data, sha256))
        except ModuleBroken as error:
            added.broken = str(error)
        if known is not None:
            self._unload(known)
        self._versions[name, version] = added

    def forget(self, name: str, version: str) -> None:
        """Unload a version as soon as no attempt uses it. An unknown version is ignored."""
        known = self._versions.pop((name, version), None)
        if known is not None:
            self._unload(known)

    def hold(self, name: str, version: str) -> ModuleVersion:
        """Keep a version for one attempt, until `release`. A version that is not here is a broken one."""
        missing = ModuleVersion("", f"{name}@{version}", "", broken=f"{name}@{version} was not sent to this runner")
        held = self._versions.get((name, version), missing)
        held.holders += 1
        return held

    def release(self, held: ModuleVersion) -> None:
        """The attempt has ended, and none of its tasks runs."""
        held.holders -= 1
        if held.forgotten:
            self._unload(held)

    def load(self, version: ModuleVersion) -> ModuleEntrypoint:
        """What a held version offers. Imports it for its first attempt. Raises ModuleBroken."""
        if version.broken is not None:
            raise ModuleBroken(version.broken)
        if version.loaded is None:
            try:
                version.context = copy_context()
                version.asks_for_requests = self._asks_for_requests(version)
                version.deprecated = self._deprecated(version)
                version.loaded = version.context.run(load, version.package, version.label, version.entrypoint)
            except ModuleBroken as error:
                version.broken = f"{version.label}: {error}"
                raise ModuleBroken(version.broken) from error
        return version.loaded

    def read_file(self, path: str) -> bytes | None:
        """A file of a version that is here, by `name@version/package/file`: what `__file__` begins with. None: no such
        file."""
        label, _, inside = path.partition("/")
        for version in self._versions.values():
            bundle = self._importer.bundle(version.package)
            if version.label == label and bundle is not None and inside in bundle.files:
                return bundle.read(inside)
        return None

    def list_folder(self, path: str) -> list[str]:
        """All files below `name@version/package/folder`, as `read_file` takes them. Empty: no such folder."""
        label, _, inside = path.partition("/")
        below = f"{inside}/" if inside else ""
        return [
            f"{label}/{name}"
            for version in self._versions.values()
            if version.label == label and (bundle := self._importer.bundle(version.package)) is not None
            for name in sorted(bundle.files)
            if name.startswith(below)
        ]

    def _asks_for_requests(self, version: ModuleVersion) -> bool:
        bundle = self._importer.bundle(version.package)
        sources = [] if bundle is None else (bundle.read(name) for name in bundle.files if name.endswith(".py"))
        return any(REQUESTS.search(source) for source in sources)

    def _deprecated(self, version: ModuleVersion) -> list[str]:
        bundle = self._importer.bundle(version.package)
        if bundle is None or not DEPRECATED:
            return []
        return [
            f"{name}:{line}: `{entry.name}` is deprecated since SDK {entry.since}: {entry.instead}"
            for name in sorted(bundle.files)
            if name.endswith(".py")
            for line, entry in announced(bundle.read(name).decode("utf-8", "replace"), DEPRECATED)
        ]

    def _unload(self, version: ModuleVersion) -> None:
        version.forgotten = True
        if not version.holders:
            version.loaded = None
            self._importer.drop(version.package)
