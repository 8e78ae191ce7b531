"""The demo: a story told with the real servers and services, in which every claim is checked."""
