"""Settings of browser profiles."""

from typing import Annotated, Any

from msgspec import Meta

from pageworker_sandbox.wire.messages import SECRET_NAME
from pageworker_supervisor.config.section import Section


class ProfileSettings(Section, frozen=True):
    """Persistent browser profiles. A larger profile is not opened, its runner is killed, and the job ends with error
    `disk_limit`."""

    max_bytes: Annotated[int, Meta(ge=16 * 1024 * 1024)] = 2 * 1024**3
    """Bytes of one profile on disk."""
    max_files: Annotated[int, Meta(ge=1000)] = 50_000
    """Files and folders of one profile."""
    store: str | None = None
    """Where snapshots of profiles are kept, for all workers: `s3://…`, `gs://…`, `az://…`, or `file:///…` for a folder
    that all of them reach. Default: a profile lives in the data folder of one worker (docs/profiles.md)."""
    key_secret: Annotated[str, Meta(pattern=SECRET_NAME)] | None = None
    """Secret of the fleet with the key that encrypts new snapshots: 32 bytes, hexadecimal or base64. `store` needs it.
    All workers need the same one."""
    key_secrets_before: Annotated[tuple[Annotated[str, Meta(pattern=SECRET_NAME)], ...], Meta(max_length=16)] = ()
    """Secrets with older keys, with which snapshots can still be read."""
    keep_snapshots: Annotated[int, Meta(ge=1, le=20)] = 3
    """Snapshots that are kept of each profile, and as many of those that were marked bad."""
    store_seconds: Annotated[float, Meta(gt=0)] = 120.0
    """Maximum seconds to fetch or to store one snapshot. Then the store counts as away: the job waits."""
    probe_seconds: Annotated[float, Meta(gt=0)] = 3600.0
    """Seconds after which a worker runs the login probe of a module again on a profile of which it has heard nothing
    since. It follows a job of the profile, and so does the probe after a job that a login has blocked."""
    checkpoint_seconds: Annotated[float, Meta(ge=0)] = 60.0
    """Seconds between two checkpoints of an open profile: its cookies and storage are kept if a job has ended since.
    If the browser is killed, the next one gets them. 0: never."""
    page: dict[str, dict[str, Any]] = {}
    """Options of the browser context, as in `[page]` of a module, by `TENANT/PROFILE` or a glob of it: `acme/berlin-*`.
    The longest matching key wins. An option of the profile replaces the module's. Values of `http_credentials` and
    `extra_http_headers` are never shown."""
