"""Which requests the options `block` and `block_hosts` stand for, in the words of DevTools. Pure.

The browser finds them by patterns. A pattern of a host can match more, because `*` of DevTools also matches `/`: a
URL may name the host in its query. So `BlockPatterns.kind` decides.
"""

import re
from fnmatch import translate
from functools import lru_cache
from urllib.parse import urlsplit

from pageworker_sandbox.wire.messages import BlockedKind
from pageworker_sandbox.wire.page_options import PageOptions

REMEMBERED_HOSTS = 1024


class BlockPatterns:
    """The patterns of one browser context, and the decision on a request that one of them matches."""

    def __init__(self, options: PageOptions) -> None:
        self._types = {each.capitalize(): each for each in options.block or ()}
        globs = options.block_hosts or ()
        # Without `[`, which is in no glob of hosts, this is `*` and `?` alone, in a form that never takes long.
        self._hosts = re.compile("|".join(map(translate, globs))) if globs else None
        self._matches = lru_cache(REMEMBERED_HOSTS)(self._match)
        self.patterns = [
            *({"resourceType": each} for each in self._types),
            *({"urlPattern": f"http*://*{glob}*"} for glob in globs),
        ]
        """`Fetch.RequestPattern`s. Empty: nothing is blocked."""

    def kind(self, resource_type: str, url: str) -> BlockedKind | None:
        """What a request is blocked as; None: it is to be sent. `resource_type` is DevTools' name: `Image`."""
        # Not the host in `blob:http://…`: such a URL leads to the page's own bytes.
        if url.startswith("http") and self._matches("/".join(url.split("/", 3)[:3])):
            return "host"
        return self._types.get(resource_type)

    def _match(self, start: str) -> bool:
        """`start`: scheme and authority of a URL. The browser writes a path behind them, if only `/`."""
        # The runner's root has no `ada_url`, and the browser has written the host in its usual form.
        try:
            host = urlsplit(start).hostname or ""
        except ValueError:
            return False
        return self._hosts is not None and self._hosts.match(host.removesuffix(".")) is not None
