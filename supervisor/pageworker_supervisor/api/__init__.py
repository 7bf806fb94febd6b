"""The HTTP API, process `pageworker-api`: jobs of one tenant per token. It holds Redis and no key."""
