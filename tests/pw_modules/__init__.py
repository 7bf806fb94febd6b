"""Real modules for tests: written, packed, signed and published as an author does it."""
