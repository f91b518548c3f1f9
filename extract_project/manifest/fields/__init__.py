"""Values of header keys that have a form of their own: one module for each."""
