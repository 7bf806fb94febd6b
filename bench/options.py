"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """`jobs`: per round and contender. `probes`: latency samples."""

    rounds: int = 3
    jobs: int = 200
    probes: int = 200
