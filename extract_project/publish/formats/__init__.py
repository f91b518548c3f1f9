"""File formats: one module each, behind one `open_encoder` (see `encoder`)."""
