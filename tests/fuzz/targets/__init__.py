"""The targets. Each file has one, or several of one kind."""
