"""The trust store: keys that may sign modules."""

from collections.abc import Iterable

from pageworker_sandbox.signing.errors import KeyUnusable, UntrustedKey
from pageworker_sandbox.signing.keys import PublicKey, parse_public
from pageworker_sandbox.signing.minisig import Signature


class TrustStore:
    """A fixed set of trusted public keys. An empty one trusts no signature.

    All keys are equal: each may sign any module and the index.
    """

    def __init__(self, keys: Iterable[PublicKey] = ()) -> None:
        self._keys: dict[bytes, PublicKey] = {}
        for key in keys:
            if self._keys.setdefault(key.id, key) != key:
                raise KeyUnusable(f"two different public keys have the id {key.name}")

    @classmethod
    def parse(cls, untrusted_texts: Iterable[str]) -> "TrustStore":
        """From base64 lines or texts of `.pub` files. Raises KeyUnusable."""
        return cls(parse_public(text) for text in untrusted_texts)

    @property
    def keys(self) -> tuple[PublicKey, ...]:
        """All keys, in the order they were given."""
        return tuple(self._keys.values())

    def key_for(self, signature: Signature) -> PublicKey:
        """The trusted key with the id that a signature names. Raises UntrustedKey."""
        if not self._keys:
            raise UntrustedKey(
                "no key is trusted, so no module is",
                "add the public keys of your module authors to `modules.trusted_keys` (`workerctl key show NAME`)",
            )
        key = self._keys.get(signature.key_id)
        if key is None:
            name = signature.key_id[::-1].hex().upper()
            raise UntrustedKey(f"signed with key {name}, which is not trusted")
        return key
