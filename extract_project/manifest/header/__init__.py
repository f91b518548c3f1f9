"""Read the header of a SQL file: find it, parse its YAML, validate it, explain errors."""
