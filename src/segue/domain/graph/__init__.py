"""Agents and workflows: building a graph by calling, the pinned graph, its checks and its drawing."""
