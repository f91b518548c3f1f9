"""A file's columns: types, their spelling, values as text, and how two schemas differ."""
