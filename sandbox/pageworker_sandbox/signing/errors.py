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


class ProvenanceMismatch(Untrusted):
    """A statement of provenance is signed by a trusted key, and does not fit its bundle."""

    reason = "provenance"
    mend = "sign the bundle again with `workerctl module sign`, which writes its provenance"


class KeyRevoked(Untrusted):
    """The signature was made with a key that is revoked. Its date does not matter."""

    type = "module_key_revoked"
    reason = "key_revoked"
    mend = (
        "the publisher signs with another trusted key and publishes again; if the operator revoked the key by mistake, "
        "take its `[[revoked]]` out of the trust file"
    )


class KeyExpired(Untrusted):
    """The signature was made with a key whose `not_after` has passed."""

    type = "module_key_expired"
    reason = "key_expired"
    mend = (
        "the publisher signs with a newer key and publishes again; or the operator moves `not_after` of the key in the "
        "trust file, and checks the clock of this host"
    )


class OutOfScope(Untrusted):
    """The keys that signed are trusted, but not for this."""

    reason = "out_of_scope"


class ModuleOutOfScope(OutOfScope):
    """No key that signed the bundle may sign a module of this name."""

    type = "module_out_of_scope"
    mend = "the publisher signs with a key for this module; or the operator adds it to `modules` of the key"


class TenantOutOfScope(OutOfScope):
    """The keys that signed the bundle may sign the module, but not for this tenant."""

    type = "module_tenant_out_of_scope"
    mend = "the publisher signs with a key for this tenant; or the operator adds the tenant to `tenants` of the key"


class ChannelOutOfScope(OutOfScope):
    """The keys that signed the bundle may sign the module, but not for this channel."""

    type = "module_channel_out_of_scope"
    mend = (
        "the owner of a key for this channel signs the bundle too (`workerctl module sign --more`) and publishes it; "
        "or the operator adds the channel to `channels` of the key"
    )


class IndexOutOfScope(OutOfScope):
    """The key that signed the index may sign modules only."""

    type = "module_index_out_of_scope"
    mend = (
        "the publisher runs `workerctl module refresh-index` with a key that may sign the index; or the operator sets "
        "`may_index = true` for this key"
    )


class RulesOutOfScope(OutOfScope):
    """The key that signed the blocker rules may not sign any. Never in a result: it is in the status of the worker."""

    mend = (
        "sign the rules with a key that may sign them (`workerctl blockers sign`); or the operator sets "
        "`may_rules = true` for this key in the trust file"
    )


class SignaturesMissing(Untrusted):
    """The bundle needs signatures by more keys than it has."""

    type = "module_signatures_missing"
    reason = "signatures_missing"
    mend = "the owners of more keys sign the bundle (`workerctl module sign --more`), then the publisher publishes it"


class BundleSwapped(BadSignature):
    """A properly signed bundle stands in the place of the one that the index lists."""

    mend = "publish the listed bundle again; first find out who changed the registry"


class BundleRenamed(BadSignature):
    """The trusted comment of the signature names another file or module than this one."""


class IndexRolledBack(Untrusted):
    """The index is older than one that was already accepted."""

    reason = "rolled_back"
    mend = "publish again to the current registry; an attacker may be replaying an old index"


class RulesRolledBack(Untrusted):
    """The blocker rules are older than some that were already accepted. Never in a result."""

    reason = "rolled_back"
    mend = "sign rules with a higher `serial`; an attacker may be replaying an old file"


class RulesExpired(Untrusted):
    """The `expires` of the blocker rules has passed. Never in a result."""

    reason = "expired"
    mend = "sign the rules again with a later `expires` (`workerctl blockers sign`), and check the clock of this host"


class RulesMalformed(Untrusted):
    """The blocker rules are signed correctly, and are not valid. Never in a result."""

    reason = "malformed"
    mend = "correct the rules, then sign them again: `workerctl blockers sign` checks them"


class BundleMalformed(ModuleError):
    """The bundle is signed correctly but has the wrong format. The author has to fix it."""

    type = "module_malformed"
    mend = "pack again with `workerctl module pack`, then sign and publish"


class NativeCode(BundleMalformed):
    """The bundle holds compiled code. Only Python sources are loaded."""

    mend = "replace the file by Python source, or use a release of the dependency in pure Python; then pack again"


class BundleExpired(ModuleError):
    """The `expires` of the bundle's module.toml has passed. The author has to publish a new version."""

    type = "module_version_expired"
    mend = "the author publishes a new version with a later `expires` in module.toml; check the clock of this host, too"


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
    """A key file, a key line or the trust file cannot be read. Its owner has to fix it."""


class TrustFileInvalid(KeyUnusable):
    """The trust file is not valid. The operator has to correct it. `mistakes` lists every mistake."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = mistakes


class WrongPassword(KeyUnusable):
    """The password does not open the secret key."""
