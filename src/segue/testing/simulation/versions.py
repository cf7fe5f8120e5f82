"""
Agents whose payload has changed: processes with the old code and with the new one work in the same world.

What the new code sends holds more than the old code knows. Whoever hears it says what arrived.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from segue.domain.envelope.versions import payload, upcast
from segue.domain.graph.agent import Agent, agent
from segue.testing.simulation.acting import act, here
from segue.testing.simulation.executions import UNTOLD

Code = Literal["old", "new"]


class OldWord(BaseModel):
    """What crosses, as the old code has it."""

    model_config = ConfigDict(title="Word")
    text: str


@payload(version="2")
class Word(BaseModel):
    """What crosses, as the new code has it."""

    text: str
    why: str


@upcast(Word, "1", "2")
def without_a_reason(old: dict[str, Any]) -> dict[str, Any]:
    """The old code gave no reason."""
    return {**old, "why": UNTOLD}


@agent(name="teller", retries=1, backoff="50ms")
async def old_teller(texts: list[str]) -> OldWord:
    """Hands over a word, with the old code."""
    return OldWord(text=await act(texts))


@agent(name="teller", retries=1, backoff="50ms")
async def new_teller(texts: list[str]) -> Word:
    """Hands over a word and why, with the new code."""
    text = await act(texts)
    return Word(text=text, why=text)


@agent(name="hearer", retries=1, backoff="50ms")
async def old_hearer(word: OldWord) -> str:
    """Takes a word, with the old code."""
    here.get().world.oracle.executions.heard(here.get(), word.text, None)
    return await act([word.text])


@agent(name="hearer", retries=1, backoff="50ms")
async def new_hearer(word: Word) -> str:
    """Takes a word and why, with the new code."""
    here.get().world.oracle.executions.heard(here.get(), word.text, word.why)
    return await act([word.text])


AGENTS_OF: dict[Code, dict[str, Agent[Any]]] = {
    "old": {"teller": old_teller, "hearer": old_hearer},
    "new": {"teller": new_teller, "hearer": new_hearer},
}
