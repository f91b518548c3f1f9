"""What a SQL file is understood as."""
