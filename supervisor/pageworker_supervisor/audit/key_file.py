"""The file of the audit key: 64 hexadecimal digits, readable by its owner alone."""

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from pageworker_supervisor.audit.errors import AuditRefused
from pageworker_supervisor.audit.record import KEY_BYTES, AuditKey
from pageworker_supervisor.config.data_dir import give_to_worker

KEY_FILE = "audit.key"
OTHERS = 0o077


def read_key(file: Path) -> AuditKey:
    """The key in this file. Raises AuditRefused."""
    try:
        # Who may change a link, not who owns the key, decides about the file behind it. O_NONBLOCK: a pipe has no end.
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            mode = os.fstat(descriptor).st_mode
            text = b"" if stat.S_ISFIFO(mode) else os.read(descriptor, 4 * KEY_BYTES)
        finally:
            os.close(descriptor)  # os.fdopen leaves it open where it is a folder
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise AuditRefused(
                f"the audit key {file} is a symbolic link",
                "Give the path of the file itself with `audit.key_file`, or put the file in place of the link.",
            ) from error
        raise AuditRefused(
            f"the audit key {file} cannot be read: {error.strerror}",
            "Run the command as the user of the worker, or give the key with `audit.key_file`.",
        ) from error
    if mode & OTHERS:
        raise AuditRefused(f"the audit key {file} is open to other users", f"Run `chmod 600 {file}`.")
    try:
        return AuditKey(bytes.fromhex(text.decode("ascii").strip()))
    except ValueError as error:
        raise AuditRefused(
            f"{file} is no audit key: {2 * KEY_BYTES} hexadecimal digits are expected",
            "Copy the file of another host of the fleet, or remove it: a new key is made.",
        ) from error


def read_or_make_key(file: Path) -> AuditKey:
    """The key in this file, which is made if it does not exist. Raises AuditRefused."""
    fresh = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    if not os.path.lexists(file):
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                with os.fdopen(descriptor, "w") as opened:
                    opened.write(secrets.token_hex(KEY_BYTES) + "\n")
                    opened.flush()
                    give_to_worker(opened.fileno(), file.parent)
                    os.fsync(opened.fileno())
                with suppress(FileExistsError):  # another process made it meanwhile
                    file.hardlink_to(fresh)
            finally:
                fresh.unlink()
        except OSError as error:
            raise AuditRefused(
                f"there is no audit key, and {file} cannot be made: {error.strerror}",
                "Run the command as the user of the worker, or give the key with `audit.key_file`.",
            ) from error
    return read_key(file)
