"""The egress sets of the modules that this worker has seen, by the digest that stands for them in a context key."""

from collections.abc import Iterable

from pageworker_supervisor.contract.context_key import NO_EGRESS, egress_digest, egress_set


class DigestCollision(Exception):
    """Two different sets have the same digest. That is no accident: one set was made to pass for the other."""


class EgressSets:
    """Grows with the distinct sets of the registry's modules, which trusted keys sign."""

    def __init__(self) -> None:
        self._hosts: dict[str, tuple[str, ...]] = {NO_EGRESS: ()}

    def name(self, hosts: Iterable[str]) -> str:
        """The digest of a set. The set is remembered. Raises DigestCollision."""
        wanted = egress_set(hosts)
        digest = egress_digest(wanted)
        if self._hosts.setdefault(digest, wanted) != wanted:
            raise DigestCollision(f"these hosts have the digest {digest} of others: {', '.join(wanted)[:200]}")
        return digest

    def hosts(self, digest: str) -> tuple[str, ...]:
        """The hosts of the set with this digest; none if the set is unknown here."""
        return self._hosts.get(digest, ())
