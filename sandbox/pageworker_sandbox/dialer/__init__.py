"""The dialer: a small process that connects for the egress gateway, which has no network of its own.

It resolves names, connects to addresses, and passes the connected socket to the gateway. It parses no HTTP and keeps no
connection. The supervisor sends the rules: where the dialer may connect to. No message of the gateway changes them. So
a gateway that was taken over reaches the public Internet on the permitted ports, and no service of this host.
"""
