"""Options of the commands that read or change a registry, and how its errors end a command."""

import os
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pageworker_sandbox.signing import KeyUnusable, ModuleError, Signer, TrustStore
from pageworker_supervisor.cli.audited import Reason, RecordedAction
from pageworker_supervisor.cli.connect import Config
from pageworker_supervisor.cli.external_signer import SignerCommand, open_signer
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.cli.password import PasswordFile
from pageworker_supervisor.cli.publishing_record import recorded
from pageworker_supervisor.config.data_dir import data_dir_of, own_folder
from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.load import load
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.registry.errors import PackRefused, RegistryAway, RegistryRefused
from pageworker_supervisor.registry.index_update import EXPIRY_DAYS
from pageworker_supervisor.registry.publisher import Publisher
from pageworker_supervisor.registry.store import Store
from pageworker_supervisor.registry.trust import load_trust

KeyFile = Annotated[
    Path,
    Parameter(
        name=("--key", "-k"),
        help="Secret key file, as `workerctl key new` writes it. A key with a password takes 1.06 GB of memory and "
        "about 3 s of CPU time per command. With --signer: the public key.",
    ),
]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RegistryAccess:
    """Which registry a command reads, and which keys it trusts."""

    registry: Annotated[str | None, Parameter(name=("--registry", "-r"))] = None
    """Registry: a folder, or an http(s)://, s3://, gs:// or az:// prefix. Default: `modules.registry`."""
    trusted: Annotated[tuple[str, ...], Parameter(name=("--trusted", "-t"), negative=(), show_default=False)] = ()
    """Trusted public key: a .pub file or its line. Repeat the option for more keys. Default: `modules.trusted_keys`,
    and the scopes of `modules.trust`."""
    config: Config = None

    def store(self) -> Store:
        """The files of the registry. Raises ConfigInvalid, OSError."""
        if self.registry is not None:
            return Store(self.registry)
        settings = configured(self.config)
        return Store(settings.modules.registry or own_folder(data_dir_of(settings) / "registry"))

    def trust(self) -> TrustStore:
        """The keys that were given, or those of the configuration with their scopes. Raises ConfigInvalid,
        KeyUnusable."""
        return trusted_by(self.trusted, self.config)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RegistryChange(RegistryAccess):
    """The options of a command that signs a new index."""

    key: KeyFile
    password_file: PasswordFile = None
    signer: SignerCommand = None
    expiry_days: float = EXPIRY_DAYS
    """Days until the new index expires. Workers refuse an expired index."""
    reason: Reason = None

    def open_key(self) -> Signer:
        """The signing key. Expensive with a password: call it once per command. Raises CommandError, KeyUnusable."""
        return open_signer(self.key, self.password_file, self.signer)

    def publisher(self, key: Signer) -> Publisher:
        """Signs with `key`. Raises ConfigInvalid, KeyUnusable."""
        return Publisher(self.store(), key, self.trust(), self.expiry_days)

    def recorded(
        self, command: str, key: Signer, target: str | None = None, **detail: str
    ) -> AbstractAsyncContextManager[RecordedAction]:
        """Records the block in the audit log. `target`: a version; None: the whole registry. Raises CommandError,
        ConfigInvalid."""
        place = self.store().label
        facts = {"registry": place, "key": key.public.name, **detail}
        return recorded(configured(self.config), command, target or place, self.reason, facts)


@contextmanager
def registry_errors() -> Iterator[None]:
    """Turn errors of packing, signing, registry and configuration into CommandErrors."""
    try:
        yield
    except PackRefused as refused:
        lines = "\n".join(f"  {printable(mistake)}" for mistake in refused.mistakes)
        raise CommandError(f"the module was not packed. Mistakes:\n{lines}") from refused
    except RegistryAway as away:
        raise CommandError(printable(away), printable(away.mend)) from away
    except (ModuleError, RegistryRefused) as refused:
        raise CommandError(printable(refused), printable(refused.mend), CommandExit.REFUSED) from refused
    except ConfigInvalid as invalid:
        raise CommandError(str(invalid)) from invalid
    except (KeyUnusable, OSError) as error:
        raise CommandError(printable(error)) from error


def trusted_by(keys: tuple[str, ...], config: Path | None) -> TrustStore:
    """These public keys, of full scope; without any, those of the configuration. Raises ConfigInvalid, KeyUnusable."""
    if keys:
        return load_trust(keys)
    modules = configured(config).modules
    return load_trust(modules.trusted_keys, modules.trust)


def configured(config: Path | None) -> Settings:
    """The settings of the worker. Raises ConfigInvalid. `publish` creates a registry's folder that does not exist."""
    return load(config, os.environ, new_registry=True)
