"""The options of browser contexts that jobs of this worker have had lately, by the digest that stands for them."""

from collections import OrderedDict

from pageworker_sandbox.page_rules import options_digest, without_defaults
from pageworker_sandbox.wire.page_options import PageOptions
from pageworker_supervisor.runners.egress_sets import DigestCollision
from pageworker_supervisor.runners.errors import SpawnFailed

REMEMBERED = 4096
"""Jobs may bring ever new options. A job names its own just before its runner starts, so this many are enough."""


class OptionSets:
    """Keeps the sets that were named last."""

    def __init__(self) -> None:
        self._options: OrderedDict[str, PageOptions] = OrderedDict()

    def name(self, options: PageOptions) -> str:
        """The digest of a set, "" for none. The set is remembered. Raises DigestCollision."""
        wanted = without_defaults(options)
        digest = options_digest(wanted)
        if digest and self._options.setdefault(digest, wanted) != wanted:
            raise DigestCollision(f"these options have the digest {digest} of others: {wanted!r}")
        if digest:
            self._options.move_to_end(digest)
            if len(self._options) > REMEMBERED:
                self._options.popitem(last=False)
        return digest

    def options(self, digest: str) -> PageOptions:
        """The set with this digest. Raises SpawnFailed: a browser never starts with other options than its jobs'."""
        if not digest:
            return PageOptions()
        try:
            return self._options[digest]
        except KeyError:
            raise SpawnFailed("the options of its browser context are not known here any more") from None
