"""What the daemon takes from its host, and what it gives up: user ids, descriptors, privileges."""
