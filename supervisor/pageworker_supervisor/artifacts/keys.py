"""Keys of stored artifacts: their paths below the store's URL. Pure."""

import datetime as dt
import hashlib
import re
from urllib.parse import unquote, urlsplit

from pageworker_supervisor.contract.job import JobRef

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
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NAME = re.compile(r"\d{1,9}-[A-Za-z0-9._~-]{1,120}-[0-9a-f]{12}\.[a-z0-9]{1,5}", re.ASCII)
_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._~-]{0,199}", re.ASCII)
_TYPES = {extension: content_type for content_type, extension in EXTENSIONS.items()}
MAX_PART = 100
"""Characters of a path segment; below the 255 bytes of a file name."""


def key_of(ref: JobRef, day: dt.date, attempt: int, kind: str, content_type: str, sha256: str) -> str:
    """`<tenant>/<date>/<job_id>/<attempt>-<kind>-<digest>.<ext>`.

    The digest distinguishes several artifacts of one kind. The same artifact stored twice is one file.
    """
    extension = EXTENSIONS.get(content_type.partition(";")[0].strip().lower(), "bin")
    name = f"{attempt}-{_safe(kind)}-{sha256[:12]}.{extension}"
    return f"{_safe(ref.tenant_id)}/{day:%Y-%m-%d}/{_safe(ref.job_id)}/{name}"


def key_of_url(untrusted_url: str, ref: JobRef) -> str | None:
    """The key behind the URL of an artifact in a result: a file's, a plain or a signed one. None: it is no artifact of
    this job."""
    parts = [unquote(part) for part in urlsplit(untrusted_url).path.split("/")[-4:]]
    if len(parts) != 4 or parts[0] != _safe(ref.tenant_id) or parts[2] != _safe(ref.job_id):
        return None
    return "/".join(parts) if _DAY.fullmatch(parts[1]) and _NAME.fullmatch(parts[3]) else None


def is_key(untrusted_text: str) -> bool:
    """Whether this may be the key of an artifact: it leaves no folder of the store."""
    parts = untrusted_text.split("/")
    if len(parts) != 4 or not all(_PART.fullmatch(part) for part in parts):
        return False
    return _DAY.fullmatch(parts[1]) is not None and _NAME.fullmatch(parts[3]) is not None


def content_type_of_key(key: str) -> str:
    """By the ending of the name, which `key_of` gave it."""
    return _TYPES.get(key.rpartition(".")[2], "application/octet-stream")


def _safe(part: str) -> str:
    """A safe path segment. A changed or shortened name gets a digest, so that two names never become one."""
    safe = _UNSAFE.sub("_", part)[:MAX_PART]
    if safe == part:
        return part
    return f"{safe}~{hashlib.blake2b(part.encode(), digest_size=4).hexdigest()}"
