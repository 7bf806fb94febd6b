"""The egress sets of the modules that this worker has seen, by the digest that names them in a context's key."""

from collections.abc import Iterable

from pageworker_supervisor.contract.context_key import NO_EGRESS, egress_digest, egress_set


class DigestCollision(Exception):
    """Two different sets have one digest. No accident: somebody made one of them to be taken for the other."""


class EgressSets:
    """Grows with the distinct sets of the registry's modules, which trusted keys sign."""

    def __init__(self) -> None:
        self._hosts: dict[str, tuple[str, ...]] = {NO_EGRESS: ()}

    def name(self, hosts: Iterable[str]) -> str:
        """The digest of a set, which is remembered. Raises DigestCollision."""
        wanted = egress_set(hosts)
        digest = egress_digest(wanted)
        if self._hosts.setdefault(digest, wanted) != wanted:
            raise DigestCollision(f"these hosts have the digest {digest} of others: {', '.join(wanted)[:200]}")
        return digest

    def hosts(self, digest: str) -> tuple[str, ...]:
        """The set of that name. None of its hosts where it was never named here."""
        return self._hosts.get(digest, ())
