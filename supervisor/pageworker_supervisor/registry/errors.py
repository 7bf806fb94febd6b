"""Why a module cannot be used or a registry cannot be changed, by who has to fix it: producer, author, operator."""

from typing import ClassVar

from msgspec import Struct

from pageworker_sandbox.signing import Mistake, ModuleError

__all__ = [
    "ModuleError",
    "ModuleUnknown",
    "NotThere",
    "PackRefused",
    "PayloadInvalid",
    "PayloadMistake",
    "RegistryAway",
    "RegistryRefused",
    "TenantNotAllowed",
]


class ModuleUnknown(ModuleError):
    """The registry has no such module, version or channel."""

    type = "module_unknown"
    mend = "name a module that exists (`workerctl module list`), or publish it with `workerctl module publish`"


class TenantNotAllowed(ModuleError):
    """The `tenants` of the module do not include this tenant."""

    type = "tenant_not_allowed"
    mend = "add the tenant to `tenants` in module.toml and publish a new version"


class RegistryAway(ModuleError):
    """The registry does not answer, and the worker has no copy. Another try may succeed."""

    type = "registry_away"
    retryable = True
    mend = "check `modules.registry`, and whether this host can reach it"


class NotThere(RegistryAway):
    """The registry answers, but has no such file."""


class PayloadMistake(Struct, frozen=True):
    """One broken rule of the input schema. `field` is a path such as `payload.items[0].url`."""

    field: str
    rule: str
    hint: str = ""

    def __str__(self) -> str:
        return f"`{self.field}`: {self.rule}" + (f"; {self.hint}" if self.hint else "")


class PayloadInvalid(ModuleError):
    """The payload does not match the input schema of the module. `mistakes` lists the first few."""

    type: ClassVar[str] = "payload_invalid"
    mend = "send a payload that matches the input schema of the module"

    def __init__(self, mistakes: tuple[PayloadMistake, ...]) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = mistakes


class PackRefused(Exception):
    """The folder is not a valid module. `mistakes` lists every mistake."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = mistakes


class RegistryRefused(Exception):
    """A change of the registry was refused. `mend` says what to do instead."""

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.mend = mend
