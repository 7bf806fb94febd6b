"""Real attacks on real sandboxes, of which any mechanism can be taken out: by tests only, in a process of their own."""
