"""Who changed what in a service: `millwright audit`."""
