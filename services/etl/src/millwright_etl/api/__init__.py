"""Protobuf in, domain call, protobuf out."""
