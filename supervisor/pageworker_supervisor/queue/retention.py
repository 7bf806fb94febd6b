"""How long and how much of what has ended is kept, in the form of a request."""

from pageworker_supervisor.queue.options import QueueOptions


def retention_request(options: QueueOptions, *, cluster: bool) -> dict[str, object]:
    """As `finish` and `reject` in queue/lua/fn_finish.lua read it.

    `result_key`: whether the function writes the key of the result. On a Cluster that key is on another node.
    """
    return {
        "result_ttl_ms": options.result_ttl_seconds * 1000,
        "stream_length": options.stream_length,
        "dead_length": options.dead_length,
        "dead_bytes": options.dead_bytes,
        "rejected_length": options.rejected_length,
        "rejected_bytes": options.rejected_bytes,
        "result_key": not cluster,
    }
