"""What can be wrong with a signed module or with a key, split by blame.

Messages go into results, so they hold no host path and no secret; `mend` is for whoever runs the worker.
"""

from dataclasses import dataclass
from typing import ClassVar


class ModuleError(Exception):
    """A module that can not be used. `type` is the result's error type."""

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
    """Nobody we believe vouches for these bytes."""

    type = "module_untrusted"


class BadSignature(Untrusted):
    """The signature is not in minisign's pre-hashed format, or it does not fit what it claims to sign."""

    mend = "sign again with `workerctl module sign`; if nobody changed the file, ask who did"


class UntrustedKey(Untrusted):
    """The signature was made with a key that is not in the trust store."""

    mend = "add the public key to `modules.trusted_keys`, if its owner may run code here"


class IndexRolledBack(Untrusted):
    """An index older than one that was already accepted."""

    mend = "publish again with the key's current registry; somebody may be replaying an old index"


class BundleMalformed(ModuleError):
    """Properly signed, but not a bundle. The author's mistake."""

    type = "module_malformed"
    mend = "pack again with `workerctl module pack`, then sign and publish"


class IndexMalformed(ModuleError):
    """Properly signed, but not an index. The publisher's mistake."""

    type = "module_malformed"
    mend = "publish again with `workerctl module publish`"


class SdkMismatch(ModuleError):
    """The module wants another version of the SDK."""

    type = "module_incompatible"
    mend = "change `sdk` in module.toml, pack a new version, or update pageworker"


class IndexExpired(ModuleError):
    """The index's time is over: whoever publishes has to say that it still holds."""

    type = "module_expired"
    mend = "run `workerctl module refresh-index`; check this host's clock"


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong with a file that an author wrote."""

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
    """module.toml breaks rules. `mistakes` holds all of them."""

    mend = "correct module.toml, then pack again"

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = mistakes


class KeyUnusable(Exception):
    """A key file or key line that can not be read. The blame is its owner's."""


class WrongPassword(KeyUnusable):
    """The secret key did not open."""
