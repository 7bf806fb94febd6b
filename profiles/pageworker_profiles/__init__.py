"""Persistent browser profiles: where they live and who holds them."""
