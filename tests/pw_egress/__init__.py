"""Real origins, real proxies and a plain client for the tests of the egress gateway."""
