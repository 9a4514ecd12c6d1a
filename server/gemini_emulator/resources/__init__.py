"""What the API keeps beside interactions: files, file search stores, agents, environments."""
