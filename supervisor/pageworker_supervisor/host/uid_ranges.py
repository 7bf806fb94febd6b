"""Which user ids a host leaves free for runners. Pure: texts of files in, ranges out.

Sources: subuid(5), login.defs(5), user_namespaces(7), and systemd's UIDS-GIDS (https://systemd.io/UIDS-GIDS/): ids are
system users up to 999, people up to 60513, dynamic services 61184-65519, containers 524288-1879048191, foreign ids
2147352576-2147418111. shadow gives subordinate ids from 100000 to 600100000, sssd maps directories' users up to
2000200000. AREAS is what all of them leave free.
"""

import hashlib
from collections.abc import Iterable, Iterator

from msgspec import Struct

OWN_NAME = "pageworker"
"""A line of this name in /etc/subuid keeps a range for us: it is no obstacle."""


class IdRange(Struct, frozen=True, order=True):
    """`count` user ids from `first` on, and the group ids of the same numbers."""

    first: int
    count: int

    @property
    def last(self) -> int:
        """The last one in it."""
        return self.first + self.count - 1

    def overlaps(self, other: "IdRange") -> bool:
        """Whether any id is in both."""
        return self.first <= other.last and other.first <= self.last

    def holds(self, other: "IdRange") -> bool:
        """Whether all of `other` is in it."""
        return self.first <= other.first and other.last <= self.last

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


class UidClaim(Struct, frozen=True):
    """Ids that belong to somebody else. `owner` says to whom and where that stands."""

    ids: IdRange
    owner: str


AREAS = (IdRange(2_013_265_920, 134_086_656), IdRange(65_536, 34_464), IdRange(60_578, 606))
"""In the order of choice. The last two lie within the 65,536 ids that a container with a user namespace usually has."""
SUBORDINATE = IdRange(100_000, 600_000_001)
"""Where shadow's useradd takes subordinate ids from by default."""


def subordinate_claims(text: str, file: str) -> list[UidClaim]:
    """Of `/etc/subuid` or `/etc/subgid`: one line per range, `user:first:count`. Lines that are none are left out."""
    claims = []
    for user, first, count in _fields(text, 3, 3):
        if first.isdecimal() and count.isdecimal() and int(count) and user != OWN_NAME:
            claims.append(UidClaim(IdRange(int(first), int(count)), f"the subordinate ids of {user} in {file}"))
    return claims


def account_claims(text: str, file: str) -> list[UidClaim]:
    """Of `/etc/passwd` or `/etc/group`: the third field is the id."""
    rows = _fields(text, 4, 7)
    return [UidClaim(IdRange(int(row[2]), 1), f"{row[0]} in {file}") for row in rows if row[2].isdecimal()]


def mapped_ids(text: str) -> list[IdRange]:
    """Of `/proc/self/uid_map`: the ids that exist in our user namespace."""
    rows = (line.split() for line in text.splitlines())
    return [IdRange(int(row[0]), int(row[2])) for row in rows if len(row) == 3]


def conflict(ids: IdRange, claims: Iterable[UidClaim]) -> UidClaim | None:
    """The first claim that has any of these ids."""
    return next((claim for claim in claims if claim.ids.overlaps(ids)), None)


def is_mapped(ids: IdRange, *maps: Iterable[IdRange]) -> bool:
    """Whether all of them exist in our user namespace, as users and as groups."""
    return all(any(known.holds(ids) for known in one) for one in maps)


def candidates(seed: str, count: int) -> Iterator[IdRange]:
    """Ranges of `count` ids in the order in which they are to be tried.

    The order starts at a place that depends on `seed` alone: a worker finds its own range again after a restart, and
    two workers that cannot see each other's lock still differ.
    """
    number = int.from_bytes(hashlib.blake2b(seed.encode(errors="replace"), digest_size=8).digest())
    for area in AREAS:
        blocks = area.count // count
        for step in range(blocks):
            yield IdRange(area.first + (number + step) % blocks * count, count)


def _fields(text: str, least: int, most: int) -> Iterator[list[str]]:
    for line in text.splitlines():
        row = line.split(":")
        if least <= len(row) <= most and not line.startswith("#"):
            yield row
