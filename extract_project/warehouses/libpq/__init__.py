"""What Postgres and its relatives share: signing in, and one connection, through libpq.

`sign_in` finds the reason of a refusal, `connection` waits for the server so that a cancel is
noticed, and `ended` tells why a statement was ended.
"""
