"""Which shared libraries a sandbox gets. System folders come whole: programs load more libraries while they run."""

from collections.abc import Iterable
from pathlib import Path

from pageworker_sandbox.launch import elf
from pageworker_sandbox.launch.interpreter import masks
from pageworker_sandbox.launch.mounts import Bind, Mount, Symlink, same

SYSTEM = tuple(Path(name) for name in ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64"))
CACHE = Path("/etc/ld.so.cache")


def library_mounts(programs: Iterable[Path]) -> tuple[Mount, ...]:
    """Mounts for everything that these programs are linked to. Raises NotElf, OSError.

    A library in a system folder comes with its whole folder. A library elsewhere comes alone, because its folder may
    hold private files.
    """
    needed = {path for program in programs for path in elf.libraries(program)}
    folders: set[Path] = set()
    alone: set[Path] = set()
    for path in needed:
        folder = path.parent.resolve()
        if any(folder.is_relative_to(system.resolve()) for system in SYSTEM):
            folders.add(folder)
        else:
            alone.add(path)
    outermost = [folder for folder in sorted(folders) if folders.isdisjoint(folder.parents)]
    mounts: list[Mount] = [Symlink(str(link.readlink()), link) for link in SYSTEM if link.is_symlink()]
    for folder in outermost:
        mounts += [same(folder), *masks(folder, folder)]
    mounts += [Bind(path.resolve(), path) for path in sorted(alone)]
    mounts += [same(CACHE)] if CACHE.is_file() else []
    return tuple(mounts)
