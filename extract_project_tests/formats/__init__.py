"""Every format, written and read back by others."""
