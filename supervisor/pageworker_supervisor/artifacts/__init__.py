"""Stores artifacts: screenshots, HTML and other files that a job returns beside its result."""
