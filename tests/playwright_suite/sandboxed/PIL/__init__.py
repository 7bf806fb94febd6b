"""What the suite imports of Pillow, inside a bundle."""
