"""Each check, with rows that pass and rows that do not."""
