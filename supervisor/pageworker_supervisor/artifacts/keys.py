"""Names of stored artifacts. Pure."""

import datetime as dt
import hashlib
import re

from pageworker_supervisor.contract.job_ref import JobRef

EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "text/html": "html",
    "text/plain": "txt",
    "text/csv": "csv",
    "application/json": "json",
    "application/pdf": "pdf",
    "application/zip": "zip",
    "video/webm": "webm",
}

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]|^\.+")
MAX_PART = 100


def key_of(ref: JobRef, day: dt.date, attempt: int, kind: str, content_type: str, sha256: str) -> str:
    """`<tenant>/<date>/<job_id>/<attempt>-<kind>-<digest>.<ext>`.

    The digest tells several artifacts of one kind apart, and makes storing the same one twice one file.
    """
    extension = EXTENSIONS.get(content_type.partition(";")[0].strip().lower(), "bin")
    name = f"{attempt}-{_safe(kind)}-{sha256[:12]}.{extension}"
    return f"{_safe(ref.tenant_id)}/{day:%Y-%m-%d}/{_safe(ref.job_id)}/{name}"


def _safe(part: str) -> str:
    """A path segment. What had to be changed or cut gets a digest, so that no two names become one."""
    safe = _UNSAFE.sub("_", part)[:MAX_PART]
    if safe == part:
        return part
    return f"{safe}~{hashlib.blake2b(part.encode(), digest_size=4).hexdigest()}"
