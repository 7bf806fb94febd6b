"""The trust store: keys that may sign modules, what each of them may sign, and which are revoked."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from pageworker_sandbox.signing.errors import (
    IndexOutOfScope,
    KeyExpired,
    KeyRevoked,
    KeyUnusable,
    RulesOutOfScope,
    UntrustedKey,
)
from pageworker_sandbox.signing.instant import instant_text
from pageworker_sandbox.signing.key_scope import FULL_SCOPE, Revocation, SignatureRule, TrustedKey
from pageworker_sandbox.signing.keys import PublicKey, key_name, parse_public
from pageworker_sandbox.signing.minisig import Signature

NO_KEY = "no key is trusted, so no module is"


class TrustStore:
    """A fixed set of trusted public keys with their scopes. An empty one trusts no signature.

    A key that is given without a scope may sign every module, for every tenant and channel, and the index.
    """

    def __init__(
        self,
        keys: Iterable[PublicKey | TrustedKey] = (),
        revoked: Mapping[bytes, Revocation] | None = None,
        rules: Iterable[SignatureRule] = (),
    ) -> None:
        """`revoked` by key id. Raises KeyUnusable if two different keys have one id."""
        self._keys: dict[bytes, TrustedKey] = {}
        for given in keys:
            key = given if isinstance(given, TrustedKey) else TrustedKey(given)
            if self._keys.setdefault(key.public.id, key).public != key.public:
                raise KeyUnusable(f"two different public keys have the id {key.public.name}")
        self.revoked: Mapping[bytes, Revocation] = dict(revoked or {})
        self.rules = tuple(rules)

    @classmethod
    def parse(cls, untrusted_texts: Iterable[str]) -> "TrustStore":
        """From base64 lines or texts of `.pub` files. Raises KeyUnusable."""
        return cls(parse_public(text) for text in untrusted_texts)

    def __eq__(self, other: object) -> bool:
        """Whether both trust the same."""
        if not isinstance(other, TrustStore):
            return NotImplemented
        return (self._keys, self.revoked, self.rules) == (other._keys, other.revoked, other.rules)

    __hash__ = None  # type: ignore[assignment]  # mypy#4266: how Python says unhashable. It is compared, never a key

    @property
    def keys(self) -> tuple[PublicKey, ...]:
        """All keys, in the order they were given."""
        return tuple(key.public for key in self._keys.values())

    @property
    def trusted(self) -> tuple[TrustedKey, ...]:
        """The same with their scopes."""
        return tuple(self._keys.values())

    @property
    def has_limits(self) -> bool:
        """Whether any key may sign less than everything, or a rule wants several signatures."""
        return bool(self.rules or self.revoked) or any(key.scope != FULL_SCOPE for key in self._keys.values())

    def with_key(self, public: PublicKey) -> "TrustStore":
        """The same store with one key more, of full scope. A key that is there already keeps its scope."""
        return TrustStore([*self._keys.values(), TrustedKey(public)], self.revoked, self.rules)

    def knows(self, key_id: bytes) -> bool:
        """Whether the store has a key with this id, usable or not."""
        return key_id in self._keys or key_id in self.revoked

    def usable(self, key_id: bytes, now: datetime | None = None) -> TrustedKey:
        """The key with this id. `now`: by default, the time of this host.

        Raises UntrustedKey, KeyRevoked, KeyExpired.
        """
        if (revocation := self.revoked.get(key_id)) is not None:
            raise KeyRevoked(
                f"signed with key {key_name(key_id)}, which was revoked at {instant_text(revocation.at)}: "
                f"{revocation.reason}"
            )
        if not self._keys:
            raise UntrustedKey(
                NO_KEY,
                "add the public keys of your module authors to `modules.trusted_keys` (`workerctl key show NAME`)",
            )
        key = self._keys.get(key_id)
        if key is None:
            raise UntrustedKey(f"signed with key {key_name(key_id)}, which is not trusted")
        ends = key.scope.not_after
        if ends is not None and (now or datetime.now(UTC)) >= ends:
            raise KeyExpired(f"signed with key {key.name}, whose `not_after` passed at {instant_text(ends)}")
        return key

    def key_for(self, signature: Signature, now: datetime | None = None) -> PublicKey:
        """The usable key with the id that a signature names. Raises UntrustedKey, KeyRevoked, KeyExpired."""
        return self.usable(signature.key_id, now).public

    def index_key(self, key_id: bytes, now: datetime | None = None) -> PublicKey:
        """The same for the signature of an index. Raises IndexOutOfScope, too."""
        key = self.usable(key_id, now)
        if not key.scope.may_index:
            raise IndexOutOfScope(f"the index is signed with key {key.name}, which may sign modules only")
        return key.public

    def rules_key(self, key_id: bytes, now: datetime | None = None) -> PublicKey:
        """The same for the signature of blocker rules. Raises RulesOutOfScope, too."""
        key = self.usable(key_id, now)
        if not key.scope.may_rules:
            raise RulesOutOfScope(f"signed with key {key.name}, which may not sign blocker rules")
        return key.public
