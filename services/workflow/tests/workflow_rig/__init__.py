"""What the workflow service's tests stand on: a client of its public API, definitions, refusals, a web server."""
