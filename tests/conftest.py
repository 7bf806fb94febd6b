"""Fixtures and plugins that all tests share."""

pytest_plugins = [
    "pw_servers.fixtures",
    "pw_markers",
    "pw_parallel",
    "pw_collection",
    "pw_hypothesis",
]
