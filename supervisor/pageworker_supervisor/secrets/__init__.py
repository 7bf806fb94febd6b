"""Secrets of tenants: where they come from, which job gets which, and how they are masked in what leaves."""
