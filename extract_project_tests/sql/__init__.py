"""What one statement is understood as."""
