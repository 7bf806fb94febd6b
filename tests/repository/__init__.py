"""Checks of the repository as a whole, and figures of its structure."""
