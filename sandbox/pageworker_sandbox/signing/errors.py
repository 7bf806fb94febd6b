"""Errors of signed modules and of keys, by who has to fix them.

Messages go into results, so they contain no host path and no secret. `mend` tells the operator how to fix the error.
"""

from dataclasses import dataclass
from typing import ClassVar


class ModuleError(Exception):
    """A module cannot be used. `type` is the error type in the result."""

    type: ClassVar[str] = "module_error"
    retryable: ClassVar[bool] = False
    mend: str = ""

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend or type(self).mend

    def __str__(self) -> str:
        return self.message


class Untrusted(ModuleError):
    """No trusted key signed these bytes."""

    type = "module_untrusted"
    reason: ClassVar[str] = "untrusted"
    """For metrics: which check failed."""


class BadSignature(Untrusted):
    """The signature is not in the pre-hashed format of minisign, or it is not the signature of these bytes."""

    reason = "bad_signature"
    mend = "sign the file again with `workerctl module sign`; first find out who changed it"


class UntrustedKey(Untrusted):
    """The signature was made with a key that is not in the trust store."""

    reason = "untrusted_key"
    mend = "add the public key to `modules.trusted_keys` if its owner may run code on this worker"


class IndexRolledBack(Untrusted):
    """The index is older than one that was already accepted."""

    reason = "rolled_back"
    mend = "publish again to the current registry; an attacker may be replaying an old index"


class BundleMalformed(ModuleError):
    """The bundle is signed correctly but has the wrong format. The author has to fix it."""

    type = "module_malformed"
    mend = "pack again with `workerctl module pack`, then sign and publish"


class IndexMalformed(ModuleError):
    """The index is signed correctly but has the wrong format. The publisher has to fix it."""

    type = "module_malformed"
    mend = "publish again with `workerctl module publish`"


class SdkMismatch(ModuleError):
    """The module needs another version of the SDK."""

    type = "module_incompatible"
    mend = "update pageworker, or change `sdk` in module.toml and publish a new version"


class IndexExpired(ModuleError):
    """The index has expired. The publisher has to sign it again."""

    type = "module_expired"
    mend = "run `workerctl module refresh-index`, and check the clock of this host"


@dataclass(frozen=True)
class Mistake:
    """One mistake in a file that an author wrote."""

    file: str
    key: str
    found: str
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}: `{self.key}`" if self.key else self.file
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}: found {self.found}, expected {self.expected}{hint}"


class ManifestInvalid(BundleMalformed):
    """module.toml is not valid. `mistakes` lists every mistake."""

    mend = "correct module.toml, then pack again"

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = mistakes


class KeyUnusable(Exception):
    """A key file or key line cannot be read. Its owner has to fix it."""


class WrongPassword(KeyUnusable):
    """The password does not open the secret key."""
