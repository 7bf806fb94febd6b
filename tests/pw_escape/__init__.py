"""Real attacks on real sandboxes. Tests, and only tests, can leave out any mechanism, in a process of their own."""
