"""Segue itself: joins an engine to a store. The only place that does."""
