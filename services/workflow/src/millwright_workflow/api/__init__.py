"""The contract's side of the service: protobuf in, a call to the rooms behind, protobuf out. No SQL, no rules."""
