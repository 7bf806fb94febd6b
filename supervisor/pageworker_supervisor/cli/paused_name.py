"""Reads the name of a tenant, module or domain that is to be paused. Pure."""

import re

from pageworker_sandbox.hostname import HostInvalid, normalise_host
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.contract.job import MODULE_NAME, TENANT_ID
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.queue.pauses import PauseKind

EXPECTED: dict[PauseKind, str] = {
    "tenant": "a tenant id, at most 63 of a-z, 0-9 and `-`",
    "module": "the name of a module without version, e.g. shop.product",
    "domain": "a host name without scheme, port and path, e.g. shop.example",
}
MOST_MODULE = 200


def paused_name(kind: PauseKind, text: str) -> str:
    """The name as jobs have it. A host is brought into the form that browsers write. Raises CommandError."""
    if set(text) & set("*?"):
        raise CommandError(
            printable(f"{text}: globs are not supported yet"), f"Name one {kind} per command.", CommandExit.REFUSED
        )
    found: str | None = text
    if kind == "tenant":
        found = text if re.match(TENANT_ID, text) else None
    elif kind == "module":
        found = text if len(text) <= MOST_MODULE and re.fullmatch(MODULE_NAME, text) else None
    else:
        try:
            found = normalise_host(text)
        except HostInvalid:
            found = None
    if found is None:
        mend = f"Expected {EXPECTED[kind]}."
        raise CommandError(printable(f"{text} is no name of a {kind}"), mend, CommandExit.USAGE)
    return found
