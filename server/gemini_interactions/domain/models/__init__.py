"""Models: the table of them, the rules of choice and price, and the voices."""
