"""
The code without one of its rules, for each rule.

A simulation that does not catch every one of them within a few seeds is not worth having; one that catches one without
its mutant has found a mistake.
"""

from segue.testing.simulation import (
    engine_mutants,
    growing_mutants,
    pool_mutants,
    review_mutants,
    steering_mutants,
    store_mutants,
    version_mutants,
    watching_mutants,
)
from segue.testing.simulation.planting import REGISTRY, planted

MUTANTS = REGISTRY

__all__ = [
    "MUTANTS",
    "engine_mutants",
    "growing_mutants",
    "planted",
    "pool_mutants",
    "review_mutants",
    "steering_mutants",
    "store_mutants",
    "version_mutants",
    "watching_mutants",
]
