"""The section `[artifacts]`."""

from typing import Annotated, Literal

from msgspec import Meta

from pageworker_sandbox.wire.messages import SECRET_NAME
from pageworker_supervisor.config.section import Section


class ArtifactSettings(Section, frozen=True):
    """Where artifacts are stored, and which ones are kept of a job that does not succeed."""

    url: str | None = None
    """Store: file:///…, s3://…, gs://… or az://… Default: `artifacts` in the data folder."""
    links: Literal["signed", "plain"] | None = None
    """`url` of an artifact in an object store. `signed`: a link that opens it without a login, for `link_seconds`.
    `plain`: its address in the store, e.g. s3://bucket/key. Default: `signed`. In a folder it is a file URL, or with
    `link_secret` a link of the HTTP API."""
    link_seconds: Annotated[int, Meta(ge=1, le=604_800)] = 604_800
    """Seconds for which a signed link works. Stores sign for a week at most. A link that was signed with temporary
    credentials ends with them."""
    link_secret: Annotated[str, Meta(pattern=SECRET_NAME)] | None = None
    """Name of the fleet's secret that signs links of the HTTP API to artifacts in a folder, at least 32 bytes. Needs
    `api.public_url`. Default: the `url` of an artifact in a folder is its file URL."""
    on_failure: bool = True
    """Store screenshot, HTML, console and requests of the page if a job does not succeed."""
    waiting_bytes: Annotated[int, Meta(ge=64 * 1024 * 1024)] = 128 * 1024**2
    """Bytes of artifacts that wait in the worker to be stored, of all runners together. One tenant gets half at
    most. Jobs with more artifacts wait."""
    concurrency: Annotated[int, Meta(ge=2, le=1024)] = 256
    """Artifacts that the worker stores at the same time. One tenant gets half at most."""
    keep_days: Annotated[float, Meta(gt=0, le=36_500)] = 14.0
    """Days after which local artifacts are deleted. In an object store, use a lifecycle rule of the bucket instead."""
    keep_days_of: dict[str, Annotated[float, Meta(gt=0, le=36_500)]] = {}
    """The same for artifacts of one kind, e.g. `{ trace = 2, har = 2 }`, each below `keep_days`."""
