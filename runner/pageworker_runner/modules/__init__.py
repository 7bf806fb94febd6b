"""Modules inside a runner: verified bundles are loaded, imported and called from here."""
