"""One read-only statement: the functions it calls, the tables it reads, and its `:name`s.

Start with `guard.read_statement`. Each dialect is one module; it knows how its engine parses a
text, and which of the engine's functions only read. A warehouse names its dialect. Nothing here
depends on files or warehouses.
"""
