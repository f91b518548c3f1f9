"""The words for what is wrong with a SQL file, as the manifest's modules import them."""

from extract_project.problem import Problem, Refused, position, refuse, suggestion

__all__ = ["Problem", "Refused", "position", "refuse", "suggestion"]
