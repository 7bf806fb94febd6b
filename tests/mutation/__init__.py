"""Take each protection out, one at a time, and see its tests fail: `make mutants`."""
