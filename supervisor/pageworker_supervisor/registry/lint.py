"""Checks the folder of a module before it is packed. It reads files, and never imports the module."""

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
from pageworker_supervisor.registry.lock_file import FILE as LOCK_FILE
from pageworker_supervisor.registry.lock_file import parse_lock
from pageworker_supervisor.registry.packing import examine, schema_of
from pageworker_supervisor.registry.wheel import is_native

RULES = {FILE: "manifest", LOCK_FILE: "lock"}
"""For mistakes in these files."""
Announced = Callable[[str], Iterable[tuple[int, tuple[str, str, str]]]]
"""From a source to its lines with deprecated names: line, and name, version of the SDK, what to use instead."""


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
    lock = found.sources.get(LOCK_FILE, b"")
    locked, wrong = parse_lock(lock.decode("utf-8", "replace"))
    findings += [_of_mistake(mistake) for mistake in wrong]
    names = ModuleNames(found.sources, sdk_names, {each.name.replace("-", "_") for each in locked})
    for file, source in found.sources.items():
        if file.endswith(".py"):
            findings += lint_source(file, source, names)
            findings += [
                LintFinding(file, line, "warning", "deprecated", f"`{name}` is deprecated since SDK {since}", instead)
                for line, (name, since, instead) in announced(source.decode("utf-8", "replace"))
            ]
    entry = module_file(found.manifest.entrypoint, found.sources)
    if entry is not None:
        findings += lint_hooks(entry, found.sources[entry])
    return in_order(findings)


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
    place = file if known else mistake.file
    rule = RULES.get(place) or ("native" if is_native(place) else "source")
    return LintFinding(place, int(line) if known else 0, "error", rule, message, mistake.hint)


def _lines(manifest_text: str) -> dict[tuple[str, ...], int]:
    try:
        return lines_of(manifest_text)
    except (ValueError, RecursionError):
        return {}
