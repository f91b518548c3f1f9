"""Test the guard with SQL of other projects: `make corpora CORPORA=DIR`.

DIR holds checkouts, bare or not, of duckdb/duckdb, sqlfluff/sqlfluff, tobymao/sqlglot and
postgres/postgres, or some of them, under any names. Nothing of them is committed here.
"""
