"""The text of a SQL file → its header, typed, or what is wrong with it and where."""
