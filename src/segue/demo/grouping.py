"""Dividing the files of a repository into a bounded number of groups, one a package where possible."""

from __future__ import annotations

import heapq
from collections import defaultdict
from pathlib import PurePosixPath

from segue.demo.models import Group, SourceFile

MOST_GROUPS = 24
MOST_FILES_IN_GROUP = 400


def group_files(root: str, files: list[SourceFile], most_groups: int = MOST_GROUPS) -> list[Group]:
    """
    One group for each folder; while there are too many, the smallest (by bytes) joins the folder above it.

    A group of more than `MOST_FILES_IN_GROUP` files is cut into numbered parts, which may exceed
    `most_groups`. The result depends on the files alone and is sorted by name.
    """
    folders: dict[str, list[SourceFile]] = defaultdict(list)
    for file in files:
        folders[str(PurePosixPath(file.path).parent)].append(file)
    _merge_smallest(folders, most_groups)
    groups = []
    for name, members in sorted(folders.items()):
        members.sort(key=lambda file: file.path)
        parts = [members[at : at + MOST_FILES_IN_GROUP] for at in range(0, len(members), MOST_FILES_IN_GROUP)]
        for number, part in enumerate(parts, start=1):
            title = name if len(parts) == 1 else f"{name} ({number} of {len(parts)})"
            groups.append(Group(name=title, root=root, files=part))
    return groups


def _merge_smallest(folders: dict[str, list[SourceFile]], most_groups: int) -> None:
    sizes = {name: sum(file.bytes for file in members) for name, members in folders.items()}
    heap = [(size, name) for name, size in sizes.items()]
    heapq.heapify(heap)
    while len(folders) > most_groups:
        size, name = heapq.heappop(heap)
        if sizes.get(name) != size or name == ".":
            continue  # this entry was outdated by a merge, or is the top that has nowhere to go
        parent = str(PurePosixPath(name).parent)
        folders[parent] = folders.get(parent, []) + folders.pop(name)
        sizes[parent] = sizes.get(parent, 0) + sizes.pop(name)
        heapq.heappush(heap, (sizes[parent], parent))
