"""Playwright's own page-level tests, run as jobs (`make playwright-suite SUITE=FOLDER`)."""
