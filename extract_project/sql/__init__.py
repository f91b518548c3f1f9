"""One read-only statement: what it calls, which tables it reads, and where its `:name`s stand.

`guard.read_statement` is the way in. Each dialect is one module that knows how its engine reads a
text and which of the engine's own functions only read; a warehouse names the one that it speaks.
Nothing here knows of files or warehouses.
"""
