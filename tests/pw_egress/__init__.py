"""Real origins, real cells and a plain client for the tests of the egress gateway."""
