"""How long is measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """`jobs` a round and contender, None: each suite's own number; `probes`: latency samples."""

    rounds: int = 3
    jobs: int | None = None
    probes: int = 200
