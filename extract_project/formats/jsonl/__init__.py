"""JSON Lines: writing (`encoder`) and reading (`reader`)."""
