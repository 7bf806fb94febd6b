"""A request of a runner that the egress gateway did not carry out, as one line. Pure.

The gateway writes the line twice. It writes it into the runner's failure pipe, because Chromium shows its page nothing
of a proxy's answer but an error code. And it writes it into the answer itself, because Playwright's request API reports
a header line without a colon word for word (`Invalid header from proxy CONNECT response: "…"`).
"""

import os
import re
from dataclasses import dataclass
from typing import Literal

MARK = "Pageworker-Egress"
"""First word of the header line. No origin can send it as one: a line without a colon is no header (RFC 9112, 5.1)."""
MAX_LINE_BYTES = 512
"""Below PIPE_BUF, so that a line is written into a pipe whole or not at all (pipe(7))."""
_LINE = re.compile(r"(refused|unreachable) ([a-z_]{1,40}) ([^\s:]{0,300})")

FailureKind = Literal["refused", "unreachable"]


@dataclass(frozen=True, slots=True)
class RequestFailure:
    """`refused`: the egress policy forbids the request. `unreachable`: it was allowed, and failed."""

    kind: FailureKind
    reason: str
    authority: str
    """`host:port` as the runner asked for it, never what a name resolved to. Empty: the request names no host."""

    @property
    def line(self) -> str:
        """One line of words, without a colon and without its end."""
        return f"{self.kind} {self.reason} {self.authority.replace(':', '|')}"


def parse_line(untrusted: str) -> RequestFailure | None:
    """The failure that a line describes. None: it is not such a line."""
    found = _LINE.fullmatch(untrusted)
    if found is None:
        return None
    kind: FailureKind = "refused" if found[1] == "refused" else "unreachable"
    return RequestFailure(kind, found[2], found[3].replace("|", ":"))


def failure_pipe() -> tuple[int, int]:
    """Read and write end of a pipe for lines. Neither end blocks: a full pipe takes no more lines. Raises OSError."""
    return os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
