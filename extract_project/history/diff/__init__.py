"""How two versions of an extract differ: SQL, columns, rows."""
