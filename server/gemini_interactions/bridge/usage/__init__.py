"""Usage: what calls are estimated to use, what they used, and the daily limits."""
