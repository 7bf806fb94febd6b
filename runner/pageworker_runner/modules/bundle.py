"""A module's files, read from the verified zip in memory. No file is ever written."""

import hashlib
import io
import zipfile

from pageworker_runner.errors import ModuleBroken
from pageworker_runner.limits import LIMITS
from pageworker_sandbox.wire.bundle_layout import VENDORED


class LoadedBundle:
    """The sources and resources of one module version."""

    def __init__(self, label: str, data: bytes, sha256: str) -> None:
        """`label` is `name@version`, for messages; `sha256` is hex. Raises ModuleBroken."""
        self.label = label
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ModuleBroken(f"{label}: the bundle's SHA-256 is not the announced one")
        try:
            self.archive = zipfile.ZipFile(io.BytesIO(data))
            # Without a name, the text of a resource's path cannot be made: `str(files(__package__) / "a.csv")` raises.
            self.archive.filename = label
        except zipfile.BadZipFile as error:
            raise ModuleBroken(f"{label}: the bundle is not a zip file: {error}") from error
        entries = [entry for entry in self.archive.infolist() if not entry.is_dir()]
        unpacked = sum(entry.file_size for entry in entries)
        if unpacked > LIMITS.bundle_bytes:
            raise ModuleBroken(
                f"{label}: the bundle has {unpacked} bytes unpacked; at most {LIMITS.bundle_bytes} are allowed"
            )
        self.files = frozenset(entry.filename for entry in entries)
        self.folders = frozenset(name[:cut] for name in self.files for cut, char in enumerate(name) if char == "/")
        below = (name.removeprefix(f"{VENDORED}/") for name in self.files)
        self.packages = frozenset(name.partition("/")[0].removesuffix(".py") for name in below)
        """Top-level names that the bundle may provide, those of its dependencies among them."""

    def read(self, path: str) -> bytes:
        """The bytes of one file. Raises ModuleBroken."""
        try:
            return self.archive.read(path)
        except (KeyError, zipfile.BadZipFile) as error:
            raise ModuleBroken(f"{self.label}: {path} cannot be read: {error}") from error

    def find(self, dotted: str) -> tuple[str, bool] | None:
        """The file of Python module `dotted`, and whether it is a package. None: the bundle has no such module.

        A folder without `__init__.py` is a package without code. Its "file" ends in a slash.
        """
        inside = dotted.replace(".", "/")
        for path in (inside, f"{VENDORED}/{inside}"):
            if f"{path}/__init__.py" in self.files:
                return f"{path}/__init__.py", True
            if f"{path}.py" in self.files:
                return f"{path}.py", False
            if path in self.folders:
                return f"{path}/", True
        return None
