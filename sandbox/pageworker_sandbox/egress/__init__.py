"""The only way out: an HTTP proxy in a process of its own, one cell a runner.

The supervisor hands over the listener of a runner's network namespace and a policy; the listener says whose
traffic it is. Reading order of one request:
`acceptor → session → target → policy → dialer (resolve, check, connect) → exchange or splice`. This process has no
network: `pageworker_sandbox.dialer`, another one, resolves and connects.
`target`, `address`, `policy`, `headers`, `meter` and `notices` decide and do no I/O. `client` is the
supervisor's end of the channel, `messages` is all that the two can say.
"""
