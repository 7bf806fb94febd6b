"""Modules inside a runner: verified bundles are loaded, imported, called and unloaded here."""
