"""Fixtures that rooms share."""

pytest_plugins = ["pw_servers.fixtures"]
