"""Types, their spelling, values as text, differences."""
