"""Checks the folder of a module before it is packed. It reads files, and never imports the module."""

import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from msgspec.structs import replace

from pageworker_sandbox.signing import Manifest, Mistake
from pageworker_sandbox.signing.bundle import module_file
from pageworker_sandbox.signing.manifest import FILE
from pageworker_supervisor.config.toml_lines import lines_of
from pageworker_supervisor.input_schema.messages import SchemaKind
from pageworker_supervisor.registry.errors import PackRefused
from pageworker_supervisor.registry.lint_finding import LintFinding, in_order
from pageworker_supervisor.registry.lint_manifest import Lines, lint_manifest
from pageworker_supervisor.registry.lint_source import ModuleNames, lint_hooks, lint_source
from pageworker_supervisor.registry.packing import examine, schema_of

Announced = Callable[[str], Iterable[tuple[int, tuple[str, str, str]]]]
"""From a source to its lines with deprecated names: line, and name, version of the SDK, what to use instead."""
LOCK_FILE = "requirements.lock"
PINNED = re.compile(rb"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*==", re.MULTILINE)
NATIVE = (".so", ".pyd", ".dylib", ".dll")


def lint(folder: Path, sdk_names: Collection[str], announced: Announced) -> tuple[LintFinding, ...]:
    """All findings, by file and line. A module.toml that is not valid is all that is reported.

    `sdk_names`: what the SDK offers.
    """
    try:
        found = examine(folder)
    except PackRefused as refused:
        return in_order([_of_mistake(mistake) for mistake in refused.mistakes])
    findings = [_of_mistake(mistake) for mistake in found.mistakes]
    lines = _lines(found.manifest_text)
    findings += lint_manifest(found.manifest, lines)
    findings += _of_schemas(folder, found.manifest, lines)
    lock = found.sources.get(LOCK_FILE)
    names = ModuleNames(found.sources, sdk_names, None if lock is None else locked_names(lock))
    for file, source in found.sources.items():
        if file.endswith(NATIVE):
            text = "native code cannot be loaded in a job"
            findings.append(LintFinding(file, 0, "error", "native", text, "use a package of pure Python"))
        elif file.endswith(".py"):
            findings += lint_source(file, source, names)
            findings += [
                LintFinding(file, line, "warning", "deprecated", f"`{name}` is deprecated since SDK {since}", instead)
                for line, (name, since, instead) in announced(source.decode("utf-8", "replace"))
            ]
    entry = module_file(found.manifest.entrypoint, found.sources)
    if entry is not None:
        findings += lint_hooks(entry, found.sources[entry])
    return in_order(findings)


def locked_names(lock: bytes) -> frozenset[str]:
    """The distributions that a lock file pins, in lower case with `_`: as most packages are named."""
    return frozenset(re.sub(r"[-_.]+", "_", name.decode()).lower() for name in PINNED.findall(lock))


def _of_schemas(folder: Path, manifest: Manifest, lines: Lines) -> list[LintFinding]:
    """Of the schemas that are tables. A Struct would have to be imported."""
    mistakes: list[Mistake] = []
    kinds: tuple[tuple[SchemaKind, object], ...] = (("input", manifest.input), ("output", manifest.output))
    for kind, given in kinds:
        if isinstance(given, dict):
            schema_of(folder, given, kind, mistakes)
    places = (tuple(each.key.split(".")) for each in mistakes)
    at = (lines.get(place) or lines.get(place[:1]) or 0 for place in places)
    return [replace(_of_mistake(mistake), line=line) for mistake, line in zip(mistakes, at, strict=True)]


def _of_mistake(mistake: Mistake) -> LintFinding:
    """What packing refuses."""
    file, _, line = mistake.file.rpartition(":")
    known = bool(file) and line.isdecimal()
    key = f"`{mistake.key}`: " if mistake.key else ""
    message = f"{key}found {mistake.found}, expected {mistake.expected}"
    rule = "manifest" if (file if known else mistake.file) == FILE else "source"
    return LintFinding(file if known else mistake.file, int(line) if known else 0, "error", rule, message, mistake.hint)


def _lines(manifest_text: str) -> dict[tuple[str, ...], int]:
    try:
        return lines_of(manifest_text)
    except (ValueError, RecursionError):
        return {}
