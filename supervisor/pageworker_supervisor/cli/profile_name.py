"""Reads the name of a profile, `TENANT/PROFILE`, from the command line. Pure."""

import re
from typing import NamedTuple

from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.contract.job import PROFILE_ID, TENANT_ID
from pageworker_supervisor.contract.printable import printable


class ProfileName(NamedTuple):
    """A profile of a tenant."""

    tenant_id: str
    profile_id: str

    def __str__(self) -> str:
        return f"{self.tenant_id}/{self.profile_id}"


def profile_named(text: str) -> ProfileName:
    """Parse `TENANT/PROFILE`. Raises CommandError with an example if the text names no profile."""
    tenant_id, slash, profile_id = text.partition("/")
    if not slash or not re.match(TENANT_ID, tenant_id) or not re.match(PROFILE_ID, profile_id):
        raise CommandError(
            printable(f"{text} names no profile"), "Write TENANT/PROFILE, e.g. acme/main.", CommandExit.USAGE
        )
    return ProfileName(tenant_id, profile_id)
