"""The Tasks extension (`io.modelcontextprotocol/tasks`): turns that are answered as tasks."""
