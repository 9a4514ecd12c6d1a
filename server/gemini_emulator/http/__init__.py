"""HTTP: connections, routes, server-sent events, the control API."""
