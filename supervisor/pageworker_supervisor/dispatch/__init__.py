"""From a claim to its queue call: admits, places, runs and settles attempts."""
