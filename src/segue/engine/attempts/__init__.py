"""One attempt: begun, run within its time, and brought to an outcome."""
