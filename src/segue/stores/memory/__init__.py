"""A store that keeps nothing: the model of the contract, for tests."""

from segue.stores.memory.artifacts import MemoryArtifacts
from segue.stores.memory.store import MemoryStore

__all__ = ["MemoryArtifacts", "MemoryStore"]
