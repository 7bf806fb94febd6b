"""Builds the image of the Containerfile and runs it, with podman, for tests/image."""
