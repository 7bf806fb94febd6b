"""The section `[files]`: files that jobs bring along."""

from typing import Annotated

from msgspec import Meta

from pageworker_sandbox.wire.file_messages import MAX_FILE_BYTES
from pageworker_supervisor.config.section import Section


class FileSettings(Section, frozen=True):
    """Files that jobs bring along (docs/files.md): where uploads are stored, and what a worker fetches."""

    url: str | None = None
    """Store of uploads: file:///…, s3://…, gs://… or az://… The API writes it and workers read it. Default: `files` in
    the data folder."""
    max_bytes: Annotated[int, Meta(ge=1, le=MAX_FILE_BYTES)] = MAX_FILE_BYTES
    """Bytes of one file. A larger upload gets a 413; a job with a larger file is rejected as `file_too_large`."""
    keep_hours: Annotated[float, Meta(gt=0, le=8760)] = 24.0
    """Hours after which an upload is deleted. A job that names it then is rejected as `file_unknown`."""
    tenant_bytes: Annotated[int, Meta(ge=1024 * 1024)] = 1024**3
    """Bytes of all uploads of one tenant. An upload above it gets a 507. Each file counts at least 64 KiB. An API
    process counts what others have stored once a minute."""
    memory_bytes: Annotated[int, Meta(ge=192 * 1024 * 1024)] = 256 * 1024**2
    """Bytes of the files of all running jobs of a worker, in memory. One tenant gets half at most. Jobs with more files
    wait."""
    fetch_seconds: Annotated[float, Meta(gt=0, le=600)] = 30.0
    """Seconds in which a worker fetches all files of a job. Then the attempt fails as `file_unavailable`."""
    allowed_urls: tuple[str, ...] = ()
    """Globs of URLs that `url` of a job's file may have, e.g. `https://store.example/inbox/*`. The worker itself
    fetches them: without a browser, redirects and cookies. Private addresses need an entry in `egress.hosts`. Default:
    none."""
