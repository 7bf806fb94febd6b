"""What one row of the tables of attacks says."""

from dataclasses import dataclass
from enum import Enum


class AttackPlace(Enum):
    """Whose code attacks."""

    CONQUERED = "conquered"
    """Native code in the browser or the driver: the sandbox, the first filter, Landlock layer 1."""
    CONFINED = "confined"
    """Module code in the interpreter: both layers of Landlock, both filters."""
    PAGE = "page"
    """A page in the full browser, or a module by way of Playwright's API."""
    SHELL = "shell"
    """The same in the headless shell."""
    GATEWAY = "gateway"
    """Native code in the egress gateway, which has no network."""
    EGRESS = "egress"
    """Native code in the browser, by way of the gateway."""
    WIRE = "wire"
    """A runner, by its socket to the supervisor."""
    FOLDER = "folder"
    """A runner, by its profile folder."""
    LIFE = "life"
    """A runner's processes, when whoever started them is killed."""
    DIALER = "dialer"
    """Native code in the gateway's dialer, which shares the host's network."""


class StartedBy(Enum):
    """Who started the worker."""

    ROOT = "root"
    USER = "user"


BOTH = (StartedBy.ROOT, StartedBy.USER)


@dataclass(frozen=True)
class Attack:
    """Code that gets through unless `by` stops it, and `overlaps` with it.

    Three runs prove that: in a whole sandbox it ends in `refused`; where `overlaps` are left out, `by` alone refuses it
    (with `alone`, if that is another errno), and so does each of `also`; where all are left out, the very same code
    gets through. `reached` is for what no ordinary process may do, and names the errnos by which the kernel shows
    that its own code was reached.
    """

    name: str
    code: str
    refused: str
    by: str
    overlaps: tuple[str, ...] = ()
    alone: str = ""
    also: tuple[tuple[str, str], ...] = ()
    reached: tuple[str, ...] = ()
    before: str = ""
    place: AttackPlace = AttackPlace.CONQUERED
    modes: tuple[StartedBy, ...] = BOTH

    @property
    def proofs(self) -> dict[str, str]:
        """Mechanisms that refuse it where all others of `everything` are left out, and how each does."""
        return {self.by: self.alone or self.refused, **dict(self.also)}

    @property
    def everything(self) -> frozenset[str]:
        """All that has to go for it to get through."""
        return frozenset((*self.proofs, *self.overlaps))
