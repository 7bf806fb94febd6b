"""The runner: runs module code on warm pages. Hostile zone: it holds no credential and no other tenant's data."""
