"""One row of the tables of attacks."""

from dataclasses import dataclass
from enum import Enum


class AttackPlace(Enum):
    """Which code attacks, and in which process."""

    CONQUERED = "conquered"
    """Native code in the browser or the driver. Restricted by the sandbox, the first filter, Landlock layer 1."""
    CONFINED = "confined"
    """Module code in the interpreter. Restricted by both layers of Landlock and both filters, too."""
    PAGE = "page"
    """A page in the full browser, or a module by way of Playwright's API."""
    SHELL = "shell"
    """The same as PAGE, in the headless shell."""
    GATEWAY = "gateway"
    """Native code in the egress gateway, which has no network."""
    EGRESS = "egress"
    """Native code in the browser, by requests to the gateway."""
    WIRE = "wire"
    """A runner, by messages on its socket to the supervisor."""
    FOLDER = "folder"
    """A runner, by what it leaves in its profile folder."""
    LIFE = "life"
    """A runner's processes, after the process that started them is killed."""
    DIALER = "dialer"
    """Native code in the gateway's dialer, which shares the host's network."""


class StartedBy(Enum):
    """Who started the worker."""

    ROOT = "root"
    USER = "user"


BOTH = (StartedBy.ROOT, StartedBy.USER)


@dataclass(frozen=True)
class Attack:
    """Code that succeeds unless the mechanism `by` refuses it, or one of `overlaps`.

    Three kinds of runs prove that. In a whole sandbox the code ends with `refused`. Without `overlaps`, `by` alone
    refuses it (with `alone`, if that is another errno), and so does each of `also`. Without all of them the same code
    succeeds. Some acts no ordinary process may do: there `reached` names the errnos with which the kernel shows that it
    carried out the call.
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
        """Outcome by mechanism, for each mechanism that refuses the attack alone."""
        return {self.by: self.alone or self.refused, **dict(self.also)}

    @property
    def everything(self) -> frozenset[str]:
        """The mechanisms that must be left out for the attack to succeed."""
        return frozenset((*self.proofs, *self.overlaps))
