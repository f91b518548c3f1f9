"""Header values with their own form, one module for each."""
