"""What happens next in a run: the compiled plan, what an attempt's end means, what must be written."""
