"""CSV: its options (`dialect`), writing (`encoder`) and reading (`reader`)."""
