"""The shipped users of Redis: what each may do, and with which password. Pure."""

import hashlib
import re
from collections.abc import Mapping
from importlib.resources import files

WORKER, PRODUCER, READER = "pageworker", "n8n", "reader"
"""What the worker and `workerctl` do; push jobs and hear results; look at everything and change nothing."""
USERS = (WORKER, PRODUCER, READER)
NOBODY = "user default off resetpass ~* &* +@all"
"""Off and without a password: nobody can be this user. Its rights stay, because Redis reads its AOF under this user and
refuses what it may not do: every transaction of a function would be gone after a restart (ACLCheckAllPerm in
execCommand, src/multi.c)."""

_PREFIX = re.compile(r"(?<=[~&{])pw(?=:)")


def user_lines(prefix: str, passwords: Mapping[str, str]) -> list[str]:
    """Lines of a Redis configuration or ACL file: the shipped users with these passwords, as hashes, and no other.

    Raises KeyError where a user has no password.
    """
    shipped = files(__package__).joinpath("pageworker.acl").read_text(encoding="ascii")
    lines = [NOBODY]
    for line in shipped.splitlines():
        name = line.split()[1]
        digest = hashlib.sha256(passwords[name].encode()).hexdigest()
        lines.append(_PREFIX.sub(prefix, line).replace(" off resetpass ", f" on resetpass #{digest} ", 1))
    return lines
