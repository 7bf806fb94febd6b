"""Reads the JSON Schema of a msgspec.Struct in the package of a module.

The package has to be imported for that. A separate process imports it, so that its code does not run in this one.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 30
_PROGRAM = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
module, _, name = sys.argv[2].partition(":")
import msgspec
schema = msgspec.json.schema(getattr(importlib.import_module(module), name))
sys.__stdout__.write("\\n" + json.dumps(schema))
"""


class StructUnusable(Exception):
    """The type could not be imported, or it has no schema."""


def struct_schema(folder: Path, place: str) -> dict[str, Any]:
    """The schema of `package.module:Struct` in the folder. Raises StructUnusable. Runs the package's top level."""
    command = [sys.executable, "-I", "-B", "-c", _PROGRAM, str(folder.resolve()), place]
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
