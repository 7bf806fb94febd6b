"""`make fuzz`: what hostile bytes reach, fed with mutated inputs under coverage feedback (atheris, libFuzzer)."""
