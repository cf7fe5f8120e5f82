"""
The main job, `segue demo`: a review of a real repository by a dozen agents, with no model and no network.

`workflow.py` is the place to start reading: it is the tutorial. Everything else here is plain Python that
knows nothing of Segue: it lists files (`inventory`), runs analysers (`analysers`, `scan`), reads history
(`history`), ranks (`ranking`), reviews (`review_checks`) and writes the report (`publishing`).
"""
