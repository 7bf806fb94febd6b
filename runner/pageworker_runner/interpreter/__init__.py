"""What jobs share in the interpreter: it is as before the first job when the next one begins."""
