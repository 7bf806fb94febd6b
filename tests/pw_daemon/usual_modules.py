"""The usual modules in a registry: packed, signed and published once per process, and copied from then on.

Each pack and each publication of a module with an input schema starts a schema checker: ten of them, a second of
processor time.
"""

import asyncio
import tempfile
from functools import cache
from pathlib import Path

from pageworker_demo.workspace import find_examples, publish
from pageworker_sandbox.signing import SecretKey

MODULES = Path(__file__).parent / "modules"


def publish_usual(registry: Path, *more: Path) -> str:
    """Publish the examples, the test modules and `more` into a new folder. Blocks. Returns the public key's line."""
    key, files = _published()
    registry.mkdir()
    for name, data in files.items():
        (registry / name).write_bytes(data)
    if more:
        asyncio.run(publish(more, registry, key))
    return key.public.line()


@cache
def _published() -> tuple[SecretKey, dict[str, bytes]]:
    """The key, and the registry's files by their names."""
    key = SecretKey.new()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(publish([*find_examples(), *sorted(MODULES.iterdir())], Path(folder), key))
        return key, {file.name: file.read_bytes() for file in Path(folder).iterdir()}
