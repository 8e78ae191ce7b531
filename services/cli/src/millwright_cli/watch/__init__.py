"""One view over all services: `millwright watch`."""
