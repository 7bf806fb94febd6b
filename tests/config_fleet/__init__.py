"""Changes of the central configuration on several workers under load."""
