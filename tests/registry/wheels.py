"""Wheels and lock files for tests."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path


def wheel(files: Mapping[str, str]) -> bytes:
    """The bytes of a wheel with these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()


def put_wheel(folder: Path, file: str, files: Mapping[str, str]) -> str:
    """Write a wheel, and return its line of a lock file."""
    folder.mkdir(parents=True, exist_ok=True)
    name, version = file.split("-")[:2]
    info = f"{name}-{version}.dist-info"
    told = {
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/RECORD": "",
    }
    data = wheel({**told, **files})
    (folder / file).write_bytes(data)
    return f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(data).hexdigest()}\n"
