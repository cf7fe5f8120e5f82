"""
A review of a repository by twelve agents: the tutorial.

Read it from the bottom, where `review` draws the graph, then go up to the agents. What an agent asks for in
its signature is what crosses the hand-off to it: `T` the output, `Handoff[T]` the sender's reasoning too,
`Ref[T]` a summary and a pointer, `Later[T]` something that it can start without.

    segue run segue.demo.workflow:review --input '{"repository": ".", "folder": "segue-report"}'
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from segue import Artifact, Handoff, Later, Ref, agent, workflow
from segue.demo import analysers, publishing
from segue.demo.document import Document, about_repository, headline
from segue.demo.file_problems import find_file_problems
from segue.demo.history import read_history
from segue.demo.inventory import take_inventory
from segue.demo.models import (
    Evidence,
    Group,
    History,
    Inventory,
    Kind,
    Ranking,
    Report,
    Review,
    Vocabulary,
)
from segue.demo.ranking import (
    FindingsFile,
    findings_file,
    findings_from_json,
    findings_to_json,
    merge_unread,
    rank_files,
    totals_of,
)
from segue.demo.review_checks import HISTORY_SHARES, confidence, review_evidence
from segue.demo.scan import WordIndex
from segue.demo.tools import PROCESSES_AT_ONCE, tool_versions
from segue.demo.words import counted


# A plain function is an agent. It runs in a thread, so that reading thousands of files holds nobody up. What it
# returns is validated, stored and handed over in one transaction; an output too large for an envelope becomes
# an artifact by itself.
@agent(timeout="2m")
def inventory(repository: str) -> Inventory:
    """List, measure and group the files of the repository."""
    return take_inventory(repository)


# `Handoff` carries more than the output: a summary, how sure the agent is, what it decided.
@agent(timeout="2m")
def history(root: str) -> Handoff[History]:
    """Read from git which files change often, or say why that cannot be known."""
    past = read_history(root)
    return Handoff(past, summary=past.note, confidence=HISTORY_SHARES[past.reach])


# Bytes go to the artifact store; the hand-off holds a pointer with their digest. However many agents receive it,
# the index is stored once, and read by those alone who open it.
@agent(timeout="2m", retries=1)
async def vocabulary(groups: list[Group]) -> Vocabulary:
    """Index every word of the repository: an analyser of one package can then ask about all the others."""
    index = await analysers.read_words(groups)
    return Vocabulary(
        files=sum(len(group.files) for group in groups),
        words=index.words,
        complete=index.complete,
        has_tests=index.has_tests,
        index=await Artifact.write(index.model_dump_json(), "application/json"),
    )


# The analysers run in processes of their own: threads give CPU-bound work no parallelism. `concurrency` limits
# how many tasks of one agent run in one worker; `retries` is how often a task that raises is tried again.
@agent(timeout="3m", retries=1, concurrency=PROCESSES_AT_ONCE)
async def complexity(group: Group) -> Evidence:
    """Find functions that nobody can keep in mind."""
    return await evidence("complexity", group.name, await analysers.find_complexity(group))


@agent(timeout="3m", retries=1, concurrency=PROCESSES_AT_ONCE)
async def docstrings(group: Group) -> Evidence:
    """Find what says nothing about itself."""
    return await evidence("missing docstrings", group.name, await analysers.find_missing_docstrings(group))


@agent(timeout="3m", retries=1, concurrency=PROCESSES_AT_ONCE)
async def leftovers(group: Group) -> Evidence:
    """Find what somebody meant to clean up."""
    return await evidence("leftovers", group.name, await analysers.find_leftovers(group))


@agent(timeout="3m", retries=1, concurrency=PROCESSES_AT_ONCE)
async def risky(group: Group) -> Evidence:
    """Find likely mistakes and holes."""
    return await evidence("risky patterns", group.name, await analysers.find_risky_patterns(group))


# These two wait for the vocabulary as well. It crosses as a few numbers and a pointer, which they follow.
@agent(timeout="3m", retries=1, concurrency=PROCESSES_AT_ONCE)
async def dead_code(group: Group, words: Vocabulary) -> Evidence:
    """Find what nothing in the repository mentions."""
    index = WordIndex.model_validate_json(await words.index.read())
    return await evidence("dead code", group.name, await analysers.find_dead_code(group, index))


@agent(timeout="3m", retries=1, concurrency=PROCESSES_AT_ONCE)
async def missing_tests(group: Group, words: Vocabulary) -> Evidence:
    """Find files that no test mentions."""
    index = WordIndex.model_validate_json(await words.index.read())
    return await evidence("missing tests", group.name, await analysers.find_missing_tests(group, index))


@agent
async def files(listing: Inventory) -> Evidence:
    """Find files that are a problem as such, in any language."""
    found = analysers.Found(listing.files, find_file_problems(listing), listing.unread)
    return await evidence("files", "all", found)


async def evidence(kind: Kind, group: str, found: analysers.Found) -> Evidence:
    """What the analysers hand over: numbers, and a pointer to the findings. Not an agent, just a function."""
    return Evidence(
        kind=kind,
        group=group,
        examined=found.examined,
        findings=len(found.findings),
        points=sum(finding.points for finding in found.findings),
        unread=found.unread,
        everything=await Artifact.write(findings_to_json(found.findings), "application/json"),
    )


# A join: it starts when the last of its inputs is there. With `decisions="required"` a hand-off that does not
# say what was decided is refused, and who comes later can ask why.
@agent(timeout="2m", decisions="required")
async def rank(listing: Inventory, found: list[list[Evidence]], past: History) -> Handoff[Ranking]:
    """Put all evidence together and rank the files: what is wrong with a file, times how often it changes."""
    pieces = [piece for pieces in found for piece in pieces]
    contents = await asyncio.gather(*(piece.everything.read() for piece in pieces))
    findings = [finding for content in contents for finding in findings_from_json(content)]
    unread = merge_unread([listing.unread, *(piece.unread for piece in pieces)])
    ranked = rank_files(findings, past)
    whole = findings_file(listing, past, tool_versions(), findings, ranked, unread)
    return Handoff(
        Ranking(
            risks=ranked.risks,
            ranked=ranked.files,
            totals=totals_of(pieces),
            unread=unread,
            findings=await Artifact.write(whole.model_dump_json(indent=1) + "\n", "application/json"),
        ),
        summary=f"{counted(len(findings), 'finding')} in {counted(ranked.files, 'file')}.",
        decisions=[
            "Each kind of finding has a limit in each file, so that many small ones do not drown a serious one.",
            f"Weighed by history: {past.note}",
            f"Left out because they could not be read: {counted(len(unread), 'path')}.",
        ],
    )


# The reviewer wants the reasoning, so it asks for the whole `Handoff`. Of the history it needs no more than the
# summary and the confidence, which a `Ref` has at hand: the history itself is never fetched.
@agent(timeout="1m")
async def check(listing: Inventory, ranking: Handoff[Ranking], past: Ref[History]) -> Handoff[Review]:
    """Ask how far the ranking can be trusted, and read again the lines that it names."""
    whole = FindingsFile.model_validate_json(await ranking.output.findings.read())
    reviewed = await asyncio.to_thread(
        review_evidence,
        listing,
        past.confidence or 0.0,
        past.summary,
        ranking.output.totals,
        whole.findings,
        ranking.output.unread,
    )
    return Handoff(
        reviewed,
        summary="; ".join(f"{each.question}: {each.share:.0%}" for each in reviewed.checks),
        confidence=confidence(reviewed),
        decisions=reviewed.caveats,
    )


# The writer starts as soon as inventory and history are there: `Later` inputs are not waited for. Where it awaits
# them it gives its slot to somebody else, and goes on from that line, with what it has drafted, when they come.
@agent(timeout="2m", retries=2)
async def write(
    listing: Inventory, past: History, folder: str, ranking: Later[Ranking], reviewed: Later[Review]
) -> Report:
    """Write the report: Markdown, a page with pictures, and all findings as JSON."""
    opening = about_repository(listing, past)
    ranked = await ranking
    whole = FindingsFile.model_validate_json(await ranked.findings.read())
    review_of_it = await reviewed
    document = Document(opening, listing, past, whole, ranked.totals, ranked.ranked, review_of_it)
    names = await asyncio.to_thread(publishing.write_report, Path(folder), document)
    return Report(
        folder=folder,
        files=names,
        headline=headline(document),
        riskiest=[risk.path for risk in ranked.risks[:5]],
        confidence=confidence(review_of_it),
    )


# Calling agents inside a workflow draws the graph; nothing runs yet. Values are stand-ins: `listing.groups` says
# that this field crosses and no other. `map` makes one task for each element, when the list is known.
@workflow
def review(repository: str, folder: str = "segue-report") -> Report:
    """Review a repository and leave a report in `folder`."""
    listing = inventory(repository)
    past = history(listing.root)
    words = vocabulary(listing.groups)
    found = [
        complexity.map(listing.groups),
        docstrings.map(listing.groups),
        leftovers.map(listing.groups),
        risky.map(listing.groups),
        dead_code.map(listing.groups, words),
        missing_tests.map(listing.groups, words),
        [files(listing)],
    ]
    ranking = rank(listing, found, past)
    return write(listing, past, folder, ranking, check(listing, ranking, past))
