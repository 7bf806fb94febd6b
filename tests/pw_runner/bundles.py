"""Module bundles made on the spot."""

import hashlib
import io
import textwrap
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Packed:
    """A bundle, as if it had been verified."""

    name: str
    version: str
    entrypoint: str
    data: bytes

    @property
    def sha256(self) -> str:
        """Hex."""
        return hashlib.sha256(self.data).hexdigest()


def pack(
    files: Mapping[str, str | bytes], *, name: str = "shop.product", version: str = "1.0.0", entrypoint: str
) -> Packed:
    """A bundle with these files; text is dedented."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, textwrap.dedent(content) if isinstance(content, str) else content)
    return Packed(name, version, entrypoint, buffer.getvalue())


PRELUDE = "import asyncio\nfrom pageworker import *\n\nasync def handler(page, payload, helpers, context):\n"


def handler(body: str, *, name: str = "shop.product", version: str = "1.0.0", before: str = "") -> Packed:
    """A bundle whose handler has this body."""
    indented = textwrap.indent(textwrap.dedent(body), "    ")
    source = textwrap.dedent(before) + "\n" + PRELUDE + indented
    return pack({"job/__init__.py": source}, name=name, version=version, entrypoint="job:handler")
