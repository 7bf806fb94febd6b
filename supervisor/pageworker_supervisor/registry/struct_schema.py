"""Reads the JSON Schema of a msgspec.Struct in the package of a module.

The package has to be imported for that. A separate process imports it, so that its code does not run in this one.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pageworker_sandbox.wire.bundle_layout import VENDORED

TIMEOUT_SECONDS = 30
_PROGRAM = """
import importlib, json, sys
sys.path[:0] = sys.argv[2:]
module, _, name = sys.argv[1].partition(":")
import msgspec
schema = msgspec.json.schema(getattr(importlib.import_module(module), name))
sys.__stdout__.write("\\n" + json.dumps(schema))
"""


class StructUnusable(Exception):
    """The type could not be imported, or it has no schema."""


def struct_schema(folder: Path, place: str, dependencies: Mapping[str, bytes] | None = None) -> dict[str, Any]:
    """The schema of `package.module:Struct` in the folder. Raises StructUnusable. Runs the package's top level.

    `dependencies`: files that it may import, by their name in the bundle.
    """
    with tempfile.TemporaryDirectory(prefix="pageworker-schema-") as scratch:
        for name, data in (dependencies or {}).items():
            path = Path(scratch, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return _schema(place, [str(folder.resolve()), str(Path(scratch, VENDORED))])


def _schema(place: str, path: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-I", "-B", "-c", _PROGRAM, place, *path]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_SECONDS, check=False, text=True)
    except subprocess.TimeoutExpired as error:
        raise StructUnusable(f"{place}: the import takes more than {TIMEOUT_SECONDS} s") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise StructUnusable(f"{place}: {lines[-1] if lines else 'the import ended the process'}")
    # The package may print text when it is imported. The schema is the last line.
    schema: dict[str, Any] = json.loads(done.stdout.rpartition("\n")[2])
    return schema
