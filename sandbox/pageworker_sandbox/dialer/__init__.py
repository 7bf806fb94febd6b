"""The dialer: connects for the egress gateway, which has no network of its own.

It resolves names and connects to addresses, and hands the connected socket over. It parses no HTTP and holds no
connection. Where it may connect to, the supervisor says once; what the gateway says does not change that. So a gateway
that was taken over reaches the public Internet on the permitted ports, and no service of this host.
"""
