"""
Deterministic simulation: the real engine in worlds that a seed decides, with invariants that hold in each of them.

    python -m segue.testing.simulation --seeds 10000 --jobs 2
    python -m segue.testing.simulation --seed 4711 --trace
"""

from segue.testing.simulation.mutants import MUTANTS
from segue.testing.simulation.running import Failure, Sample, simulate, simulate_many, simulate_range
from segue.testing.simulation.trace import Trace

__all__ = ["MUTANTS", "Failure", "Sample", "Trace", "simulate", "simulate_many", "simulate_range"]
