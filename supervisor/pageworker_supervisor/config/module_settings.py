"""The section `[modules]`: where modules come from, and which keys may sign them."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from pageworker_supervisor.config.relative_paths import LOCATION
from pageworker_supervisor.config.section import Section

Seconds = Annotated[float, Meta(gt=0)]
Label = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}\Z")]
Location = Annotated[str, LOCATION]


class ModuleSettings(Section, frozen=True):
    """Where modules come from, and which keys may sign them."""

    registry: Location | None = None
    """Folder or URL of the registry. The folder must exist. Default: `registry` in the data folder."""
    trusted_keys: tuple[Location, ...] = ()
    """Minisign public keys (the base64 line) or paths of .pub files. They may sign
    every module, and the index. Without a key, here or in `trust`, the worker refuses every module."""
    trust: Path | None = None
    """File with more keys, each with a scope: which modules, tenants and channels it may sign
    ([modules.md](modules.md#scopes-of-keys)). It is read again when it changes."""
    isolation: Literal["tenant", "module"] = "tenant"
    """Least isolation of jobs. `tenant`: modules of one tenant may share an interpreter and a browser context, unless
    their manifest asks for more. `module`: jobs of different modules never do, so each module of a tenant needs a
    runner of its own. All workers need the same value."""
    channel: Label = "stable"
    """Channel that this worker follows for jobs that do not pin a version."""
    tag_channels: dict[Label, Label] = {}
    """Channels by tag: a worker with the tag in `worker.tags` follows that channel. The first tag of this table that
    the worker has counts. A module without that channel is taken from `channel`, then from `stable`."""
    refresh_seconds: Seconds = 5.0
    """Seconds between two looks at the registry. Longer, up to 60 s, while it does not answer."""
    cache_bytes: Annotated[int, Meta(ge=64 * 1024**2)] = 1024**3
    """Bytes of bundles that the worker keeps on disk. Above it, those that were not used for the longest time are
    deleted."""

    @property
    def names_keys(self) -> bool:
        """Whether the worker has been told which keys to trust."""
        return bool(self.trusted_keys or self.trust)
