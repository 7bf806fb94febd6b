"""Which user ids a host leaves free for runners. Pure: texts of files in, ranges out.

Ids in use elsewhere, by systemd's UIDS-GIDS (https://systemd.io/UIDS-GIDS/): system users up to 999, users up to 60513,
dynamic services 61184-65519, containers 524288-1879048191, foreign ids 2147352576-2147418111. shadow assigns
subordinate ids from 100000 to 600100000, sssd maps users of directories up to 2000200000. AREAS is what all of them
leave free. See also subuid(5), login.defs(5) and user_namespaces(7).
"""

import hashlib
from collections.abc import Iterable, Iterator

from msgspec import Struct

OWN_NAME = "pageworker"
"""A line with this user in /etc/subuid reserves a range for pageworker, so it is not a conflict."""


class IdRange(Struct, frozen=True, order=True):
    """`count` user ids from `first` on, and the group ids of the same numbers."""

    first: int
    count: int

    @property
    def last(self) -> int:
        """The last id of the range."""
        return self.first + self.count - 1

    def overlaps(self, other: "IdRange") -> bool:
        """Whether the ranges have an id in common."""
        return self.first <= other.last and other.first <= self.last

    def contains(self, other: "IdRange") -> bool:
        """Whether every id of `other` is in this range."""
        return self.first <= other.first and other.last <= self.last

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


class UidClaim(Struct, frozen=True):
    """Ids with another owner. `owner` names it and the file that says so."""

    ids: IdRange
    owner: str


AREAS = (IdRange(2_013_265_920, 134_086_656), IdRange(65_536, 34_464), IdRange(60_578, 606))
"""In order of preference. The last two are within the 65,536 ids that a container with a user namespace usually has."""
SUBORDINATE = IdRange(100_000, 600_000_001)
"""The range from which shadow's useradd takes subordinate ids by default."""


def subordinate_claims(text: str, file: str) -> list[UidClaim]:
    """The claims in `/etc/subuid` or `/etc/subgid`: one range per line, `user:first:count`. Invalid lines are
    skipped."""
    rows = [(user, ids) for user, ids in _subordinates(text) if user != OWN_NAME]
    return [UidClaim(ids, f"the subordinate ids of {user} in {file}") for user, ids in rows]


def own_ranges(text: str) -> list[IdRange]:
    """The ranges that `/etc/subuid` or `/etc/subgid` reserve for pageworker."""
    return [ids for user, ids in _subordinates(text) if user == OWN_NAME]


def account_claims(text: str, file: str) -> list[UidClaim]:
    """The claims in `/etc/passwd` or `/etc/group`: the third field is the id."""
    rows = _fields(text, 4, 7)
    return [UidClaim(IdRange(int(row[2]), 1), f"{row[0]} in {file}") for row in rows if row[2].isdecimal()]


def mapped_ids(text: str) -> list[IdRange]:
    """The ids in `/proc/self/uid_map`: those that exist in our user namespace."""
    rows = (line.split() for line in text.splitlines())
    return [IdRange(int(row[0]), int(row[2])) for row in rows if len(row) == 3]


def conflict(ids: IdRange, claims: Iterable[UidClaim]) -> UidClaim | None:
    """The first claim that overlaps these ids."""
    return next((claim for claim in claims if claim.ids.overlaps(ids)), None)


def is_mapped(ids: IdRange, *maps: Iterable[IdRange]) -> bool:
    """Whether every id exists in our user namespace, in each of the maps (of users, of groups)."""
    return all(any(known.contains(ids) for known in one) for one in maps)


def candidates(seed: str, count: int) -> Iterator[IdRange]:
    """Ranges of `count` ids, in the order in which to try them.

    The first one depends on `seed` alone. So a worker gets the same range after a restart, and two workers that do not
    share a lock file most likely get different ranges.
    """
    number = int.from_bytes(hashlib.blake2b(seed.encode(errors="replace"), digest_size=8).digest())
    for area in AREAS:
        blocks = area.count // count
        for step in range(blocks):
            yield IdRange(area.first + (number + step) % blocks * count, count)


def _subordinates(text: str) -> Iterator[tuple[str, IdRange]]:
    for user, first, count in _fields(text, 3, 3):
        if first.isdecimal() and count.isdecimal() and int(count):
            yield user, IdRange(int(first), int(count))


def _fields(text: str, least: int, most: int) -> Iterator[list[str]]:
    for line in text.splitlines():
        row = line.split(":")
        if least <= len(row) <= most and not line.startswith("#"):
            yield row
