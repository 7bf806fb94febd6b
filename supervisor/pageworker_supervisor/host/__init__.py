"""What the daemon needs from its host, and the privileges that it drops: user ids, descriptors, hardening."""
