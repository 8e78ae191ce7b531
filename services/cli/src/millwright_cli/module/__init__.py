"""The modules service's commands: `millwright module`, and the making of packages, which needs no service."""
