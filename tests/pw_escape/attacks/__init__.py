"""All attacks by code in a sandbox, one table per target."""

from pw_escape.attack import Attack
from pw_escape.attacks import (
    confined,
    confined_files,
    egress,
    files,
    gateway,
    kernel,
    limits,
    namespaces,
    pages,
    sockets,
    supervisor,
    wire,
)

ATTACKS: tuple[Attack, ...] = (
    *kernel.ATTACKS,
    *sockets.ATTACKS,
    *namespaces.ATTACKS,
    *files.ATTACKS,
    *limits.ATTACKS,
    *confined.ATTACKS,
    *confined_files.ATTACKS,
    *gateway.ATTACKS,
    *egress.ATTACKS,
    *wire.ATTACKS,
    *pages.ATTACKS,
    *supervisor.ATTACKS,
)
