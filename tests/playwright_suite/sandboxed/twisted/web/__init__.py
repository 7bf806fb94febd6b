"""What the suite imports of twisted, inside a bundle."""
