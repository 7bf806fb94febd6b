"""The newest audit record that this host has seen, in its data folder: Redis cannot take it back."""

import os
import secrets
from pathlib import Path

import msgspec

from pageworker_supervisor.audit.chain import Checkpoint
from pageworker_supervisor.config.data_dir import give_to_worker, open_regular

CHECKPOINT_FILE = "audit.checkpoint"
MAX_BYTES = 4096


class CheckpointFile:
    """A file with one checkpoint. One that cannot be written is left as it is: it then holds an older record."""

    def __init__(self, folder: Path) -> None:
        self.path = self._file = folder / CHECKPOINT_FILE

    def read(self) -> Checkpoint | None:
        """The checkpoint; None: there is none, or it cannot be read."""
        try:
            with os.fdopen(open_regular(self._file), "rb") as file:
                return msgspec.json.decode(file.read(MAX_BYTES), type=Checkpoint)
        except (OSError, msgspec.MsgspecError):
            return None

    def advance(self, newest: Checkpoint) -> bool:
        """Keep this one if it is newer. The caller has checked that its chain holds the one that is kept. False: the
        file cannot be written."""
        known = self.read()
        if known is not None and known.number >= newest.number:
            return True
        fresh = self._file.with_name(f".{CHECKPOINT_FILE}.{secrets.token_hex(4)}")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(msgspec.json.encode(newest))
                give_to_worker(opened.fileno(), self._file.parent)
            fresh.replace(self._file)
        except OSError:
            fresh.unlink(missing_ok=True)
            return False
        return True
