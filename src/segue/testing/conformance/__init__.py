"""
The suite that every store must pass, one class for each area.

A store of one's own is held to the contract with a few lines, in an environment with pytest and pytest-asyncio::

    class TestMyStore(StoreConformance):
        async def make_store(self, clock):
            store = MyStore(clock=clock)
            await store.open()
            return store

Each test is named after what it proves, and its docstring is the promise. A store that several processes can open at
once also passes `SharedStoreConformance`, and a store of artifacts `ArtifactConformance`.
"""

from segue.testing.conformance.artifacts import ArtifactConformance
from segue.testing.conformance.budgets import BudgetConformance
from segue.testing.conformance.claims import ClaimConformance
from segue.testing.conformance.consumers import ConsumerConformance
from segue.testing.conformance.controls import ControlConformance
from segue.testing.conformance.events import EventConformance
from segue.testing.conformance.expansion import ExpansionConformance
from segue.testing.conformance.growing import GrowingConformance
from segue.testing.conformance.handing_on import HandingOnConformance
from segue.testing.conformance.handoffs import HandoffConformance
from segue.testing.conformance.joins import JoinConformance
from segue.testing.conformance.leases import LeaseConformance
from segue.testing.conformance.losses import LossConformance
from segue.testing.conformance.pausing import PauseConformance
from segue.testing.conformance.payloads import PayloadConformance
from segue.testing.conformance.pools import PoolConformance
from segue.testing.conformance.quorums import QuorumConformance
from segue.testing.conformance.redriving import RedriveConformance
from segue.testing.conformance.reviews import ReviewConformance
from segue.testing.conformance.runs import RunConformance
from segue.testing.conformance.settling import SettlingConformance
from segue.testing.conformance.sharing import SharedStoreConformance
from segue.testing.conformance.spending import SpendingConformance
from segue.testing.conformance.standstill import StandstillConformance
from segue.testing.conformance.steps import StepConformance
from segue.testing.conformance.untangling import UntanglingConformance
from segue.testing.conformance.upkeep import UpkeepConformance

__all__ = ["ArtifactConformance", "SharedStoreConformance", "StoreConformance"]


class StoreConformance(
    RunConformance,
    ClaimConformance,
    SettlingConformance,
    JoinConformance,
    QuorumConformance,
    ExpansionConformance,
    LeaseConformance,
    LossConformance,
    BudgetConformance,
    PoolConformance,
    UntanglingConformance,
    EventConformance,
    ConsumerConformance,
    HandoffConformance,
    HandingOnConformance,
    PayloadConformance,
    GrowingConformance,
    ControlConformance,
    PauseConformance,
    SpendingConformance,
    ReviewConformance,
    StandstillConformance,
    RedriveConformance,
    StepConformance,
    UpkeepConformance,
):
    """All that any store must do."""
