"""The commands of `workerctl module` that look at a registry or change it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from pageworker_sandbox.signing import LIMITS, Index, KeyUnusable, ModuleError, UntrustedBundle
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, note, show, table
from pageworker_supervisor.cli.password import PasswordFile, open_key
from pageworker_supervisor.config.data_dir import data_dir_of
from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.load import load
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.registry.errors import PackRefused, RegistryAway, RegistryRefused
from pageworker_supervisor.registry.index_file import MAX_SIGNATURE_BYTES, SIGNATURE, fetch_index
from pageworker_supervisor.registry.index_update import EXPIRY_DAYS, point, yank
from pageworker_supervisor.registry.publisher import Publisher
from pageworker_supervisor.registry.registry import utc_now
from pageworker_supervisor.registry.resolve import STABLE
from pageworker_supervisor.registry.store import Store
from pageworker_supervisor.registry.trust import load_trust

KeyFile = Annotated[Path, Parameter(name=("--key", "-k"), help="Secret key file (`workerctl key new`).")]
ConfigFile = Annotated[Path | None, Parameter(name=("--config", "-c"), help="The worker's configuration file.")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RegistryAccess:
    """Which registry, and whom to believe there."""

    registry: Annotated[str | None, Parameter(name=("--registry", "-r"))] = None
    """Folder, or http(s)://, s3://, gs:// or az:// prefix. Default: as the worker is configured."""
    trusted: Annotated[tuple[str, ...], Parameter(name=("--trusted", "-t"), negative=())] = ()
    """Public key to believe: a .pub file or its line; repeat it for more. Default: as configured."""
    config: ConfigFile = None

    def store(self) -> Store:
        """The registry's files. Raises ConfigInvalid."""
        if self.registry is not None:
            return Store(self.registry)
        settings = configured(self.config)
        return Store(settings.modules.registry or data_dir_of(settings) / "registry")

    def keys(self) -> tuple[str, ...]:
        """Who is believed. Raises ConfigInvalid."""
        return self.trusted or configured(self.config).modules.trusted_keys


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Change(RegistryAccess):
    """What it takes to change a registry."""

    key: KeyFile
    password_file: PasswordFile = None
    expiry_days: float = EXPIRY_DAYS
    """The index is to be renewed within so many days."""

    def publisher(self) -> Publisher:
        """Raises CommandError, ConfigInvalid, KeyUnusable."""
        others = load_trust(self.keys())
        return Publisher(self.store(), open_key(self.key, self.password_file), others, self.expiry_days)


async def publish(bundle: Path, *, change: Change, channel: str = STABLE, json: Json = False) -> None:
    """Copy a signed bundle to a registry, and sign the index that lists it.

    Parameters
    ----------
    channel
        Channel that means this version from now on.
    """
    with told():
        untrusted = signed(bundle)
        published, index = await change.publisher().publish(untrusted, channel)
    facts = {"name": published.name, "version": published.version, "channel": channel, **_edition(index)}
    show(facts, f"published {published.name} {published.version} to {channel}; {_in_words(index)}", json)


async def list_modules(*, place: RegistryAccess | None = None, json: Json = False) -> None:
    """List what a registry holds."""
    place = place or RegistryAccess()
    with told():
        read = await fetch_index(place.store(), load_trust(place.keys()), LIMITS)
    if read is None:
        raise CommandError("the registry has no index")
    index = read.index
    if index.expires <= utc_now():
        note("warning: the index has expired: run `workerctl module refresh-index`")
    rows = [
        (
            name,
            version,
            ", ".join(sorted(channel for channel, meant in listed.channels.items() if meant == version)),
            listing.bytes,
            "taken back" if listing.yanked else "",
        )
        for name, listed in sorted(index.modules.items())
        for version, listing in listed.versions.items()
    ]
    text = table(("module", "version", "channels", "bytes", ""), rows) if rows else "nothing is published here"
    show(index, f"{text}\n{_in_words(index)}", json)


channels = App(name="channel", help="Which version a channel means.")


@channels.command(name="set")
async def set_channel(name: str, channel: str, version: str, *, change: Change, json: Json = False) -> None:
    """Let CHANNEL of module NAME mean VERSION, higher or lower than now."""
    with told():
        index = await change.publisher().change(point(name, channel, version))
    facts = {"name": name, "channel": channel, "version": version, **_edition(index)}
    show(facts, f"{channel} of {name} is {version}; {_in_words(index)}", json)


async def yank_version(name: str, version: str, *, change: Change, json: Json = False) -> None:
    """Take a version back: no worker runs it any more, pinned or not."""
    with told():
        index = await change.publisher().change(yank(name, version))
    facts = {"name": name, "version": version, "yanked": True, **_edition(index)}
    show(facts, f"took back {name} {version}; {_in_words(index)}", json)


async def refresh_index(*, change: Change, json: Json = False) -> None:
    """Say that a registry's index still holds: same content, new serial, new expiry."""
    with told():
        index = await change.publisher().change()
    show(_edition(index), _in_words(index), json)


@contextmanager
def told() -> Iterator[None]:
    """What the rooms raise, as ends of a command."""
    try:
        yield
    except PackRefused as refused:
        lines = "\n".join(f"  {printable(mistake)}" for mistake in refused.mistakes)
        raise CommandError(f"not packed:\n{lines}") from refused
    except RegistryAway as away:
        raise CommandError(printable(away), printable(away.mend)) from away
    except (ModuleError, RegistryRefused) as refused:
        raise CommandError(printable(refused), printable(refused.mend), CommandExit.REFUSED) from refused
    except ConfigInvalid as invalid:
        raise CommandError(str(invalid)) from invalid
    except (KeyUnusable, OSError) as error:
        raise CommandError(printable(error)) from error


def configured(config: Path | None) -> Settings:
    """The worker's settings. Raises ConfigInvalid."""
    return load(config, os.environ)


def signed(bundle: Path) -> UntrustedBundle:
    """A bundle with the signature beside it. Raises CommandError, OSError."""
    data = read_file(bundle, LIMITS.bundle_bytes)
    path = signature_of(bundle)
    if not path.is_file():
        raise CommandError(
            f"{bundle} is not signed: there is no {path.name}", "`workerctl module sign`", CommandExit.REFUSED
        )
    return UntrustedBundle(data, read_file(path, MAX_SIGNATURE_BYTES))


def signature_of(bundle: Path) -> Path:
    """Where a bundle's signature is."""
    return bundle.with_name(bundle.name + SIGNATURE)


def read_file(path: Path, most_bytes: int) -> bytes:
    """A file of limited size. Raises CommandError, OSError."""
    with path.open("rb") as file:
        untrusted = file.read(most_bytes + 1)
    if len(untrusted) > most_bytes:
        raise CommandError(f"{path} is larger than {most_bytes} bytes")
    return untrusted


def _edition(index: Index) -> dict[str, object]:
    return {"serial": index.serial, "expires": index.expires}


def _in_words(index: Index) -> str:
    return f"index {index.serial}, expires {index.expires:%Y-%m-%d}"
