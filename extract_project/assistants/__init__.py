"""The read-only commands as tools for assistants, by the Model Context Protocol."""
