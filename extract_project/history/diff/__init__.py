"""The differences between two versions of an extract: SQL, columns, rows."""
