"""The egress gateway: an HTTP proxy in a process of its own, and the only way out of a runner's sandbox.

The supervisor passes it each runner's listening socket and policy, so the gateway can tell which runner a connection
belongs to. It has no network itself: `pageworker_sandbox.dialer`, another process, resolves and connects.

Reading order of one request: `acceptor → session → target → policy → origin_connector (resolve, check, connect) →
exchange or splice`. `target`, `address`, `policy`, `headers`, `meter` and `refusal_log` decide without I/O. `client` is
the supervisor's end of the channel, `messages` holds every message of the two.
"""
