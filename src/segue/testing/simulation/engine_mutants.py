"""Engines without one of their rules, and a domain without one of its decisions."""

from __future__ import annotations
