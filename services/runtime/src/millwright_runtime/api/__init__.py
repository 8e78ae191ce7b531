"""The gRPC side: who calls, whether they may, what a refusal looks like, and the server that all of it stands in."""
