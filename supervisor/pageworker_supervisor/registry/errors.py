"""Why a job's module can not be used, or a registry not be changed. By blame: sender, author, registry."""

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
    mend = "publish it with `workerctl module publish`, or name one that exists (`workerctl module list`)"


class TenantNotAllowed(ModuleError):
    """The module is not for this tenant."""

    type = "tenant_not_allowed"
    mend = "add the tenant to `tenants` in module.toml and publish a new version"


class RegistryAway(ModuleError):
    """The registry does not answer, and what is asked for was never here. Another try may help."""

    type = "registry_away"
    retryable = True
    mend = "check `modules.registry` and the way to it"


class NotThere(RegistryAway):
    """The registry answers, but has no file of this name."""


class PayloadMistake(Struct, frozen=True):
    """One broken rule of the input schema. `field` is a path such as `payload.items[0].url`."""

    field: str
    rule: str
    hint: str = ""

    def __str__(self) -> str:
        return f"`{self.field}`: {self.rule}" + (f"; {self.hint}" if self.hint else "")


class PayloadInvalid(ModuleError):
    """The payload does not fit the module's input schema. `mistakes` holds the first few."""

    type: ClassVar[str] = "payload_invalid"
    mend = "send what the module's input schema asks for"

    def __init__(self, mistakes: tuple[PayloadMistake, ...]) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = mistakes


class PackRefused(Exception):
    """A folder that is no module. `mistakes` holds all of them."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = mistakes


class RegistryRefused(Exception):
    """A change that is not made. `mend` says what to do instead."""

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.mend = mend
