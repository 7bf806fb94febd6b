"""`python -m repository.structure [--list] [--static]` (`make structure`): the figures of the code's structure.

One JSON line. --list adds the names behind the figures, one per line; --static leaves out the traced job.
"""

import argparse
import json
from pathlib import Path

from repository.sources import (
    ROOT,
    ZONES,
    doubled_classes,
    imported,
    is_pure,
    own_tests,
    source_files,
    tree,
    zone_files,
)


def packages() -> dict[str, list[Path]]:
    """Python files by the dotted name of the package that they are in. A package without code of its own is none."""
    found: dict[str, list[Path]] = {}
    for file in zone_files():
        found.setdefault(".".join(_parts(file)[:-1]), []).append(file)
    return found


def arrows() -> set[tuple[str, str]]:
    """(importer, imported) packages: some file of the first imports a file of the second."""
    names = packages()
    modules = {
        ".".join(_parts(file)).removesuffix(".__init__"): name for name, files in names.items() for file in files
    }
    return {
        (name, modules[module])
        for name, files in names.items()
        for file in files
        for module in imported(tree(file))
        if module in modules and modules[module] != name
    }


def _parts(file: Path) -> tuple[str, ...]:
    zone = next(zone for zone in ZONES if file.is_relative_to(ROOT / zone))
    return file.relative_to(ROOT / zone).with_suffix("").parts


def static_figures() -> dict[str, int]:
    """What can be counted without running anything."""
    files = source_files()
    pure = [file for file in files if is_pure(file)]
    return {
        "packages": len(packages()),
        "arrows": len(arrows()),
        "doubled_class_names": len(doubled_classes()),
        "source_files": len(files),
        "source_files_with_test_file": sum(bool(own_tests(file)) for file in files),
        "pure_source_files": len(pure),
        "pure_source_files_with_test_file": sum(bool(own_tests(file)) for file in pure),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="structure", description=__doc__)
    parser.add_argument("--list", action="store_true", help="also print the names behind the figures")
    parser.add_argument("--static", action="store_true", help="count only, run no job")
    asked = parser.parse_args()
    figures = static_figures()
    names: list[str] = [f"package {name}" for name in sorted(packages())]
    names += [f"arrow {importer} -> {other}" for importer, other in sorted(arrows())]
    names += [f"doubled class {name}" for name in sorted(doubled_classes())]
    if not asked.static:
        from repository.traced_job import traced

        trace = traced()
        figures |= {"files_per_job": len(trace.files), "types_per_job": len(trace.types)}
        names += [f"supervisor file {name}" for name in sorted(trace.supervisor_files)]
        names += [f"runner file {name}" for name in sorted(trace.runner_files)]
        names += [f"supervisor type {name}" for name in sorted(trace.supervisor_types)]
        names += [f"runner type {name}" for name in sorted(trace.runner_types)]
    print(json.dumps(figures))
    if asked.list:
        print("\n".join(names))


if __name__ == "__main__":
    main()
