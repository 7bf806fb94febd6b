"""The module versions that this runner knows: announced, imported when first used, dropped with their last job."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pageworker_runner.errors import ModuleBroken
from pageworker_runner.modules.bundle import LoadedBundle
from pageworker_runner.modules.entrypoint import ModuleEntrypoint, load
from pageworker_runner.modules.importer import BundleImporter, versioned_name


@dataclass(eq=False)
class Version:
    """One version of one module. `entry` is imported when first used; `broken` is why that failed, for good."""

    holder: str
    label: str
    entrypoint: str
    entry: ModuleEntrypoint | None = None
    broken: str | None = None
    jobs: int = 0
    forgotten: bool = False


class Catalog:
    """All versions, by name and version."""

    def __init__(self) -> None:
        self._importer = BundleImporter()
        self._versions: dict[tuple[str, str], Version] = {}

    def add(self, name: str, version: str, sha256: str, entrypoint: str, data: bytes) -> None:
        """A verified bundle came. What is wrong with it shows when it is used."""
        holder = versioned_name(name, version, sha256)
        known = self._versions.get((name, version))
        if known is not None and known.holder.rstrip("_") == holder and not known.forgotten:
            return
        while self._importer.has(holder):
            # Forgotten and given again while a job of its first life still runs.
            holder += "_"
        entry = Version(holder, f"{name}@{version}", entrypoint)
        try:
            self._importer.add(holder, LoadedBundle(entry.label, data, sha256))
        except ModuleBroken as error:
            entry.broken = str(error)
        if known is not None:
            self._retire(known)
        self._versions[name, version] = entry

    def forget(self, name: str, version: str) -> None:
        """Drop a version, once its last job has ended."""
        known = self._versions.pop((name, version), None)
        if known is not None:
            self._retire(known)

    @contextmanager
    def use(self, name: str, version: str) -> Iterator[ModuleEntrypoint]:
        """The version's entry, kept while used. Raises ModuleBroken."""
        known = self._versions.get((name, version))
        if known is None:
            raise ModuleBroken(f"{name}@{version} was not given to this runner")
        known.jobs += 1
        try:
            yield self._entry(known)
        finally:
            known.jobs -= 1
            if known.forgotten and not known.jobs:
                self._importer.drop(known.holder)

    def _entry(self, version: Version) -> ModuleEntrypoint:
        if version.broken is not None:
            raise ModuleBroken(version.broken)
        if version.entry is None:
            try:
                version.entry = load(version.holder, version.label, version.entrypoint)
            except ModuleBroken as error:
                version.broken = f"{version.label}: {error}"
                raise ModuleBroken(version.broken) from error
        return version.entry

    def _retire(self, version: Version) -> None:
        version.forgotten = True
        if not version.jobs:
            self._importer.drop(version.holder)
