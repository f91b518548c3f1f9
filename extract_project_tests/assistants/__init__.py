"""The read-only commands as tools for assistants."""
