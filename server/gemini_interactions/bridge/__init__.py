"""The bridge: what assistants ask on one side, the Interactions API on the other."""
