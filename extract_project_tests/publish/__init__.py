"""What becomes of a result."""
