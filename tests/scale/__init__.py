"""Many workers without runners on real Redis servers: what they cost, and at which numbers one Redis ends."""
