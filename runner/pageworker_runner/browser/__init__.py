"""The runner's one Chromium: how it is started, with which arguments, and the check of its own sandbox."""
