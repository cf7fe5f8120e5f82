"""What a hand-off costs in Segue, raw SQLite and LangGraph: `scripts/bench`, or `python -m benchmarks`."""
