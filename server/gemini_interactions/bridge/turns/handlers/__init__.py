"""What differs between the kinds of turns: one module per kind."""
