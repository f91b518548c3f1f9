"""Published versions: receipts, parts, reading, differences, pins, retention."""
