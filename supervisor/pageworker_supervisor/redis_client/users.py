"""The shipped users of Redis and their passwords. pageworker.acl holds their permissions. Pure."""

import hashlib
import re
from collections.abc import Mapping
from importlib.resources import files

WORKER, PRODUCER, READER = "pageworker", "n8n", "reader"
"""The worker and `workerctl`; producers, which push jobs and listen for results; readers, which change nothing."""
USERS = (WORKER, PRODUCER, READER)
DISABLED_DEFAULT = "user default off resetpass ~* &* +@all"
"""The default user, disabled and without a password: no client can log in as it. It keeps its permissions, because
Redis loads its AOF under this user and skips commands that it may not run: after a restart the transactions of
functions would be lost (ACLCheckAllPerm in execCommand, src/multi.c)."""

_PREFIX = re.compile(r"(?<=[~&{])pw(?=:)")


def user_lines(prefix: str, passwords: Mapping[str, str]) -> list[str]:
    """Lines of a Redis configuration or ACL file: the shipped users with hashes of these passwords, and no other user.

    Raises KeyError if a user has no password.
    """
    shipped = files(__package__).joinpath("pageworker.acl").read_text(encoding="ascii")
    lines = [DISABLED_DEFAULT]
    for line in shipped.splitlines():
        name = line.split()[1]
        digest = hashlib.sha256(passwords[name].encode()).hexdigest()
        lines.append(_PREFIX.sub(prefix, line).replace(" off resetpass ", f" on resetpass #{digest} ", 1))
    return lines
