"""Every limit of the gateway, with its unit. No setting changes them."""

from dataclasses import dataclass, replace

from pageworker_sandbox.egress.kernel_splice import DESCRIPTORS

RESERVED_DESCRIPTORS = 128


@dataclass(frozen=True)
class EgressLimits:
    """Limits that protect the gateway's memory, descriptors and CPU time from a hostile runner."""

    runners: int = 64
    connections_per_runner: int = 128
    """Connections of one runner at the same time. Further ones wait in the listener's backlog."""
    pool_connections: int = 32
    """Idle connections to origins, per runner."""
    pool_seconds: float = 20.0
    """An idle connection to an origin is closed after this time."""
    head_bytes: int = 32 * 1024
    """Maximum head of a request or response. Up to twice as much is accepted if the head arrives in two pieces."""
    head_seconds: float = 10.0
    """From the first byte of a request's head to its last byte."""
    idle_seconds: float = 75.0
    """A runner's connection between two requests."""
    silence_seconds: float = 300.0
    """A request or tunnel in which no byte moves."""
    quiet_seconds: float = 10.0
    """A tunnel to a host with a limit on open requests, after its last bytes came from the host."""
    linger_seconds: float = 5.0
    """For the last bytes on a connection that is being closed."""
    buffer_bytes: int = 64 * 1024
    """Bytes held for a slow reader before the gateway stops reading from the sender."""
    splices: int = 4
    """Large transfers of one runner that the kernel forwards by itself (`kernel_splice`). Further ones are forwarded as
    small ones are."""
    accepts_per_second: float = 500.0
    """After a burst of `connections_per_runner`. Each refused request costs a connection, about 0.2 ms of CPU time, and
    a page may have hundreds of trackers."""
    parse_share: float = 0.3
    """Fraction of one core for parsing one runner's traffic. A runner over its share waits."""
    parse_burst_seconds: float = 0.05
    parse_pause_seconds: float = 0.005
    """The shortest wait, because each wake-up costs time too."""
    events_per_turn: int = 64
    """Events of one body that are parsed before other connections get their turn."""
    resolved_seconds: float = 10.0
    """How long a resolved name is valid."""
    resolved_names: int = 256
    notices_per_second: float = 2.0
    """Refusals reported per runner, after a burst of `notices_burst`. Further ones are only counted."""
    notices_burst: int = 20
    records_per_second: float = 50.0
    """Records for the access log per runner, after a burst of `records_burst`. Further ones are only counted."""
    records_burst: int = 500

    def within(self, descriptors: int) -> "EgressLimits":
        """The same with fewer connections per runner, so that all runners fit into `descriptors` (RLIMIT_NOFILE).

        A runner needs at most its listener, an eventfd, its failure pipe, its counts, two descriptors per connection,
        its pool, and those of its large transfers.
        """
        own = 4 + self.pool_connections + DESCRIPTORS * self.splices
        share = (descriptors - RESERVED_DESCRIPTORS) // self.runners - own
        return replace(self, connections_per_runner=max(8, min(self.connections_per_runner, share // 2)))
