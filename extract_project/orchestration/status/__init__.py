"""Answer what state extracts are in: facts read from the Dagster instance, for all at once."""
