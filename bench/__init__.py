"""Measurements: `python -m bench [names]` prints one JSON line each. Contenders take turns within one run."""
