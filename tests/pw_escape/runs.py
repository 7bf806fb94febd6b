"""All runs of an attack: in a whole sandbox, with each mechanism alone, and without all of its mechanisms."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from pw_escape import mechanisms as m
from pw_escape.attack import Attack, AttackPlace, StartedBy

INSIDE = (m.LAYER_1, m.LANDLOCK, m.CONFINED_FILTER, m.RUNNER_FILTER, m.NOT_DUMPABLE)
"""Mechanisms that an attacker's process applies to itself. The sandbox has all others."""


class Kind(Enum):
    """What a run proves."""

    REFUSED = "refused"
    ALONE = "alone"
    CONTROL = "control"


@dataclass(frozen=True)
class AttackRun:
    """One run. `expected` are the correct outcomes; an empty text: the attack succeeds."""

    kind: Kind
    attack: Attack
    mode: StartedBy
    without: frozenset[str]
    expected: frozenset[str]
    mechanism: str

    @property
    def id(self) -> str:
        """Name of the run in test reports."""
        what = f" by {self.mechanism}" if self.kind is Kind.ALONE else ""
        return f"{self.mode.value}: {self.attack.name}{what}"

    @property
    def order(self) -> tuple[object, ...]:
        """Sort key: runs in the same sandbox are adjacent, so that it is started once."""
        outer = sorted(name for name in self.without if name.partition(":")[0] not in INSIDE)
        filtered = any(name.startswith(m.RUNNER_FILTER) for name in self.without)
        return (self.attack.place.value, outer, filtered, self.mode.value)


def runs(attacks: Iterable[Attack], kind: Kind) -> list[AttackRun]:
    """All runs of one kind, in the order that starts the fewest sandboxes."""
    made = {
        Kind.REFUSED: _refused,
        Kind.ALONE: _alone,
        Kind.CONTROL: _control,
    }[kind]
    found = [run for attack in attacks for mode in attack.modes for run in made(attack, mode)]
    return sorted(found, key=lambda run: run.order)


def _refused(attack: Attack, mode: StartedBy) -> Iterator[AttackRun]:
    yield AttackRun(Kind.REFUSED, attack, mode, frozenset(), _ends(attack.refused), attack.by)


def _alone(attack: Attack, mode: StartedBy) -> Iterator[AttackRun]:
    for mechanism, refused in attack.proofs.items():
        if others := attack.everything - {mechanism}:
            yield AttackRun(Kind.ALONE, attack, mode, others, _ends(refused), mechanism)


def _control(attack: Attack, mode: StartedBy) -> Iterator[AttackRun]:
    yield AttackRun(Kind.CONTROL, attack, mode, attack.everything, frozenset(("", *attack.reached)), attack.by)


def _ends(text: str) -> frozenset[str]:
    return frozenset(text.split("|"))


def places(attacks: Iterable[Attack]) -> set[AttackPlace]:
    """The places of these attacks."""
    return {attack.place for attack in attacks}
