"""Commands for the folder of SQL files, and what only they share."""
