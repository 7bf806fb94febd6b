"""Every limit of the gateway, with its unit. None of them is a tenant's to change."""

from dataclasses import dataclass, replace

RESERVED_DESCRIPTORS = 128


@dataclass(frozen=True)
class EgressLimits:
    """Bounds that keep a hostile runner from the gateway's memory, descriptors and time."""

    cells: int = 64
    cell_connections: int = 128
    """Connections of one runner at once; more of them wait in the listener's backlog."""
    pool_connections: int = 32
    """Idle connections to origins that a cell keeps."""
    pool_seconds: float = 20.0
    head_bytes: int = 32 * 1024
    """Of one request's or response's head, give or take one piece of the same size."""
    head_seconds: float = 10.0
    """From the first byte of a request's head to its last."""
    idle_seconds: float = 75.0
    """Of a runner's connection between requests."""
    silence_seconds: float = 300.0
    """Of a request or tunnel in which no byte moves."""
    linger_seconds: float = 5.0
    """For the last bytes to a connection that is being closed."""
    buffer_bytes: int = 64 * 1024
    """Held for a slow reader before the sender is made to wait."""
    accepts_per_second: float = 100.0
    parse_share: float = 0.3
    """Of one core, that a cell's parsing may take; faster ones wait. A pace, not a policy."""
    parse_burst_seconds: float = 0.05
    parse_pause_seconds: float = 0.005
    """The shortest wait: waking costs too."""
    events_per_turn: int = 64
    """Parsed at a stretch before other connections come up."""
    resolved_seconds: float = 10.0
    resolved_names: int = 256
    notices_per_second: float = 2.0
    """Of one cell, after `notices_burst`; the rest is counted."""
    notices_burst: int = 20

    def within(self, descriptors: int) -> "EgressLimits":
        """The same, with no more connections a cell than `descriptors` (RLIMIT_NOFILE) allow for all cells.

        A cell costs at most its listener, a wake-up, two descriptors a connection and its idle pool.
        """
        share = (descriptors - RESERVED_DESCRIPTORS) // self.cells - 2 - self.pool_connections
        return replace(self, cell_connections=max(8, min(self.cell_connections, share // 2)))
