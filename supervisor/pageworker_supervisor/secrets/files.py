"""Secrets in a folder: one file per secret, named `TENANT/NAME` or `TENANT.NAME`."""

import asyncio
from pathlib import Path
from typing import Literal

from pageworker_supervisor.secrets.backend import FetchedSecret, SecretRef
from pageworker_supervisor.secrets.errors import SecretMissing
from pageworker_supervisor.secrets.secret_file import FOREIGN_READERS, FOREIGN_WRITERS, SecretFiles
from pageworker_supervisor.secrets.secret_text import value_of


class FileBackend:
    """A folder per tenant (`/`), or all files in one folder, as systemd lays out credentials (`.`).

    A file of the first kind must be closed to other users. systemd guards its folder itself, and gives its files mode
    0440 if a group of the unit may read them (systemd.exec(5), Credentials).
    """

    def __init__(self, folder: Path, separator: Literal["/", "."]) -> None:
        self._folder = folder
        self._separator = separator
        self._files = SecretFiles()
        self._forbidden_mode = FOREIGN_READERS if separator == "/" else FOREIGN_WRITERS

    async def fetch(self, ref: SecretRef) -> FetchedSecret:
        """See SecretBackend. The value is the file's text without surrounding white space."""
        shown = f"{ref.tenant_id}{self._separator}{ref.name}"
        try:
            found = self._files.read(self._folder / shown, self._forbidden_mode, shown)
        except SecretMissing:
            raise SecretMissing(f"there is no file {shown} for it") from None
        return FetchedSecret(value=value_of(ref, found.data), version=found.version, lease_seconds=0.0)

    async def run(self) -> None:
        """There is no login to keep."""
        await asyncio.Event().wait()
