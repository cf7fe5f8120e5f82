"""What crosses a hand-off: its payload and schema, the envelope around it, and how it is written down."""
