"""In place of the suite's package."""
