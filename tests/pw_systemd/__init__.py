"""What tests know about the units of systemd."""
