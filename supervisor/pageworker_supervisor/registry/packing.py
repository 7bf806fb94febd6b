"""Packs the folder of a module into a bundle. The same sources give the same bytes on every host."""

import ast
import os
import tomllib
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pageworker_sandbox.signing import (
    LIMITS,
    BundleMalformed,
    Manifest,
    ManifestInvalid,
    Mistake,
    PackedBundle,
    parse_manifest,
    read_bundle,
)
from pageworker_sandbox.signing.archive import name_rule
from pageworker_sandbox.signing.bundle import OUTPUT_FILE, SCHEMA_FILE, module_file, write_bundle
from pageworker_sandbox.signing.manifest import FILE
from pageworker_sandbox.wire.bundle_layout import VENDORED
from pageworker_supervisor.config.toml_lines import error_line, lines_of
from pageworker_supervisor.input_schema.check_outcome import CHECKED
from pageworker_supervisor.input_schema.errors import CheckLimitExceeded
from pageworker_supervisor.input_schema.input_checks import check_schema
from pageworker_supervisor.input_schema.messages import SchemaKind
from pageworker_supervisor.registry.dependencies import vendored
from pageworker_supervisor.registry.errors import PackRefused
from pageworker_supervisor.registry.lock_file import FILE as LOCK_FILE
from pageworker_supervisor.registry.struct_schema import StructUnusable, struct_schema
from pageworker_supervisor.registry.wheel import is_native, native_mistake

SKIPPED_FOLDERS = frozenset({"__pycache__", "build", "dist", "node_modules"})
SKIPPED_SUFFIXES = (".pyc", ".pyo", ".zip", ".minisig", ".key", ".egg-info")
TESTS = "tests"
"""Folder of the module's tests, with recordings of sites. It is no part of the bundle."""
HANDLER_PARAMETERS = 4


@dataclass(frozen=True)
class ExaminedFolder:
    """The folder of a module as its files show it. Nothing of it was imported.

    `sources`: the files by their name in the bundle, without module.toml and the schemas.
    """

    manifest_text: str
    manifest: Manifest
    sources: dict[str, bytes]
    mistakes: tuple[Mistake, ...]


def examine(folder: Path) -> ExaminedFolder:
    """Read the folder of a module. Raises PackRefused if its module.toml is not valid."""
    manifest_text = _manifest_text(folder)
    try:
        manifest = parse_manifest(manifest_text)
    except ManifestInvalid as invalid:
        raise PackRefused(_with_lines(invalid.mistakes, manifest_text, invalid.__cause__)) from invalid
    mistakes: list[Mistake] = []
    # An author may have named a package so before this folder was left out.
    left_out = "" if manifest.entrypoint.partition(":")[0].partition(".")[0] == TESTS else TESTS
    sources = dict(_sources(folder, mistakes, left_out))
    mistakes += _syntax_mistakes(sources)
    mistakes += _entrypoint_mistakes(manifest, sources)
    return ExaminedFolder(manifest_text, manifest, sources, _with_lines(mistakes, manifest_text))


def pack(folder: Path, wheels: Path | None = None) -> PackedBundle:
    """The bundle of a folder, without hidden files, caches, archives, keys and tests. Raises PackRefused.

    `wheels`: where the wheels of requirements.lock are. None: pip fetches them.
    """
    found = examine(folder)
    mistakes = list(found.mistakes)
    manifest_text, manifest, sources = found.manifest_text, found.manifest, found.sources
    dependencies = vendored(folder, wheels, mistakes)
    mistakes += _name_mistakes(sources, dependencies)
    if mistakes:
        raise PackRefused(_with_lines(mistakes, manifest_text))
    schemas = {"input": schema_of(folder, manifest.input, "input", mistakes, dependencies)}
    if manifest.output is not None:
        schemas["output"] = schema_of(folder, manifest.output, "output", mistakes, dependencies)
    if mistakes:
        raise PackRefused(_with_lines(mistakes, manifest_text))
    data = write_bundle(manifest_text, schemas["input"], {**sources, **dependencies}, schemas.get("output"))
    try:
        return read_bundle(data)
    except BundleMalformed as error:
        raise PackRefused((Mistake(str(folder), "", str(error), "a bundle"),)) from error


def _manifest_text(folder: Path) -> str:
    path = folder / FILE
    try:
        return path.read_bytes().decode()
    except FileNotFoundError as error:
        mistake = Mistake(
            str(path), "", "no such file", f"a folder with a {FILE}", "create one with `workerctl module new`"
        )
        raise PackRefused((mistake,)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise PackRefused((Mistake(str(path), "", str(error), "a readable text file in UTF-8"),)) from error


def _with_lines(
    mistakes: Iterable[Mistake], manifest_text: str, cause: BaseException | None = None
) -> tuple[Mistake, ...]:
    """The mistakes in module.toml with the line of their key. `cause`: the error of a text that is no TOML."""
    if isinstance(cause, tomllib.TOMLDecodeError):
        line, _ = error_line(cause, manifest_text)
        return tuple(replace(mistake, file=f"{FILE}:{line}") for mistake in mistakes)
    try:
        lines = lines_of(manifest_text)
    except (ValueError, RecursionError):
        return tuple(mistakes)
    return tuple(
        replace(mistake, file=f"{FILE}:{lines[at]}") if mistake.file == FILE and at is not None else mistake
        for mistake, at in ((one, _known_key(one.key, lines)) for one in mistakes)
    )


def _known_key(key: str, lines: Container[tuple[str, ...]]) -> tuple[str, ...] | None:
    """`("input",)` of `input.type` if the file has `input` alone; None if it has not even that."""
    parts = tuple(key.split("."))
    return next((parts[:n] for n in range(len(parts), 0, -1) if parts[:n] in lines), None)


def _sources(folder: Path, mistakes: list[Mistake], left_out: str) -> Iterator[tuple[str, bytes]]:
    """The files by their name in the bundle, without module.toml, the schemas and the folder `left_out`."""
    root = folder.resolve()
    for place, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not is_skipped(name) and Path(place, name) != root / left_out]
        for name in sorted([*files, *(name for name in folders if (Path(place) / name).is_symlink())]):
            path = Path(place) / name
            inside = path.relative_to(root).as_posix()
            if is_skipped(name) or inside in (FILE, SCHEMA_FILE, OUTPUT_FILE):
                continue
            mistake = _file_mistake(path, inside, root)
            if mistake is None:
                yield inside, path.read_bytes()
            else:
                mistakes.append(mistake)


def is_skipped(name: str) -> bool:
    """Whether a file or folder of this name is left out of bundles."""
    return name.startswith(".") or name in SKIPPED_FOLDERS or name.endswith(SKIPPED_SUFFIXES)


def _file_mistake(path: Path, inside: str, root: Path) -> Mistake | None:
    target = path.resolve()
    if not target.is_relative_to(root):
        return Mistake(inside, "", "a link out of the folder", "only files inside the folder", "copy the file into it")
    if not target.is_file():
        return Mistake(inside, "", "not a regular file", "files and folders only")
    if target.stat().st_size > LIMITS.file_bytes:
        return Mistake(inside, "", f"{target.stat().st_size} bytes", f"at most {LIMITS.file_bytes}")
    rule = name_rule(inside)
    if rule:
        return Mistake(inside, "", "an invalid name", rule)
    return native_mistake(inside) if is_native(inside) else None


def _syntax_mistakes(sources: dict[str, bytes]) -> Iterator[Mistake]:
    for name, data in sources.items():
        if name.endswith(".py"):
            try:
                ast.parse(data, name)
            except (SyntaxError, ValueError) as error:
                line = getattr(error, "lineno", None)
                yield Mistake(f"{name}:{line}" if line else name, "", str(getattr(error, "msg", error)), "valid Python")


def _entrypoint_mistakes(manifest: Manifest, sources: dict[str, bytes]) -> Iterator[Mistake]:
    """The entrypoint must be an `async def` with four parameters, as far as the syntax tree shows."""
    place, _, function = manifest.entrypoint.partition(":")
    file = module_file(manifest.entrypoint, sources)
    if file is None:
        path = place.replace(".", "/")
        yield Mistake(FILE, "entrypoint", manifest.entrypoint, f"a file {path}/__init__.py or {path}.py")
        return
    try:
        bound = dict(_bound_names(ast.parse(sources[file], file)))
    except (SyntaxError, ValueError):
        return
    node = bound.get(function)
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield Mistake(f"{file}:{node.lineno}", function, "not a coroutine function", f"`async def {function}(…)`")
    elif isinstance(node, ast.AsyncFunctionDef):
        given = len(node.args.posonlyargs) + len(node.args.args)
        if given != HANDLER_PARAMETERS and node.args.vararg is None:
            found, expected = f"{given} parameters", "(page, payload, helpers, context)"
            yield Mistake(f"{file}:{node.lineno}", function, found, expected)
    elif node is None and "*" not in bound:
        near = get_close_matches(function, bound, n=1, cutoff=0.6)
        hint = f"did you mean `{near[0]}`?" if near else ""
        yield Mistake(FILE, "entrypoint", manifest.entrypoint, f"a function {function} in {file}", hint)


def _bound_names(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """The names that the top level of a module binds: functions, classes, imports, assignments."""
    for node in tree.body:
        match node:
            case ast.AsyncFunctionDef() | ast.FunctionDef() | ast.ClassDef():
                yield node.name, node
            case ast.Import() | ast.ImportFrom():
                yield from ((alias.asname or alias.name.partition(".")[0], node) for alias in node.names)
            case ast.Assign():
                yield from ((name.id, node) for name in node.targets if isinstance(name, ast.Name))


def _name_mistakes(sources: Iterable[str], dependencies: Iterable[str]) -> Iterator[Mistake]:
    """The folder of dependencies is written by `pack` alone, and no name in it hides one of the module."""
    own = {name.partition("/")[0].removesuffix(".py") for name in sources}
    if VENDORED in own:
        yield Mistake(VENDORED, "", "a folder of this name", "another name: it is the folder of the dependencies")
    tops = {name.split("/")[1].removesuffix(".py") for name in dependencies}
    for name in sorted(own & tops):
        yield Mistake(name, "", f"a package that {LOCK_FILE} names too", "one of them")


def schema_of(
    folder: Path,
    given: dict[str, Any] | str | None,
    kind: SchemaKind,
    mistakes: list[Mistake],
    dependencies: Mapping[str, bytes] = MappingProxyType({}),
) -> dict[str, Any]:
    """A schema as it is packed. What is wrong with it is added to `mistakes`. A Struct is imported, a table is not."""
    schema: dict[str, Any] = {"type": "object"}
    expected = "a JSON Schema (2020-12)"
    try:
        if isinstance(given, str):
            schema = struct_schema(folder, given, dependencies)
        elif given is not None:
            schema = given
        check_schema(schema, kind)
    except StructUnusable as error:
        mistakes.append(Mistake(FILE, kind, str(error), "a msgspec.Struct that can be imported"))
    except (BundleMalformed, CheckLimitExceeded) as error:
        mistakes.append(Mistake(FILE, kind, str(error), expected))
    if "object" not in (schema.get("type", "object")):
        what = f'"object": a {CHECKED[kind]} is always one'
        mistakes.append(Mistake(FILE, f"{kind}.type", repr(schema["type"]), what))
    return schema
