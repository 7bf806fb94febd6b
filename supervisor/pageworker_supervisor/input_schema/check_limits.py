"""How much a check of a payload or a result may use. Pure."""

import signal
from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True)
class CheckLimits:
    """Limits of a schema checker. `seconds`: processor time to compile a schema, and again to check a payload.

    `memory_bytes`: address space of the process. `kept_bytes`: a compiled schema that takes more is not kept.
    """

    seconds: float
    memory_bytes: int = 512 * MIB
    kept_bytes: int = 8 * MIB


SHARED = CheckLimits(seconds=0.1)
"""Of the checker that all tenants share. An ordinary check takes some microseconds, so this one is short."""

APART = CheckLimits(seconds=1.0, kept_bytes=512 * MIB)
"""Of a checker for one check. What exceeds these limits ends the job."""

SLOW_SECONDS = 0.02
"""A check in the shared checker that took longer is the last one of its tenant and bundle there, for some time."""

KEPT_SCHEMAS = 32
"""Compiled schemas per checker. A bundle has up to two."""

TIMER, TIMER_SIGNAL = signal.ITIMER_PROF, signal.SIGPROF
"""Counts the processor time of a process. Without a handler, its signal ends the process at once."""
