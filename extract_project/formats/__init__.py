"""How rows become a file and are read back: one module or package per format, see `registry`."""
