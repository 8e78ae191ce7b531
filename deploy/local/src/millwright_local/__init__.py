"""The one-machine stack: real Postgres, Valkey and NATS from wheels, the services, keys and tokens.

It exists for people at a terminal and for tests. Nothing that runs in a plant imports it.
"""
