"""Adds a revocation to a trust file: at its end, so that the operator's own text stays as it is."""

import contextlib
import fcntl
import json
import os
import secrets
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pageworker_sandbox.signing import KeyUnusable, TrustFile, TrustFileInvalid
from pageworker_sandbox.signing.instant import instant_text
from pageworker_sandbox.signing.keys import key_name
from pageworker_sandbox.signing.trust_file import REASON
from pageworker_supervisor.registry.trust import parse_trust_text, read_trust_file


def revoke(file: Path, key_id: bytes, at: datetime, reason: str) -> TrustFile:
    """Append a `[[revoked]]` entry and return what the file says then. The file changes in one step, or not at all.

    Raises TrustFileInvalid if the file has a mistake, KeyUnusable if the key is revoked already or the reason is not
    one line, OSError.
    """
    if not REASON.fullmatch(reason):
        raise KeyUnusable("the reason is one line of at most 200 characters")
    with _locked(file.resolve().parent):
        target = file.resolve()
        before = read_trust_file(target)
        if any(known == key_id for known, _ in before.revoked):
            raise KeyUnusable(f"key {key_name(key_id)} is revoked already")
        text = target.read_text("utf-8")
        text += "" if text.endswith("\n") or not text else "\n"
        text += f'\n[[revoked]]\nid = "{key_name(key_id)}"\nat = {instant_text(at)}\n'
        text += f"reason = {json.dumps(reason, ensure_ascii=False)}\n"
        after = parse_trust_text(text, target)
        if dict(after.revoked).keys() != {*dict(before.revoked), key_id}:
            raise TrustFileInvalid(())
        _replace(target, text.encode())
        return after


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Two commands at once must not lose one of two revocations."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(file: Path, data: bytes) -> None:
    found = file.stat()
    part = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            if (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, found.st_uid, found.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(found.st_mode))
            opened.write(data)
            opened.flush()
            os.fsync(descriptor)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
