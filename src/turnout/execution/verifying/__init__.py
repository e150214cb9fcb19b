"""Finding out how good answers were, after they were given: by what they show, by programs, by another candidate."""

from turnout.execution.verifying.verifying import Verifying

__all__ = ["Verifying"]
