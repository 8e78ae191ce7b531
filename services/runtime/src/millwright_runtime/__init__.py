"""What every Millwright service stands on. It knows gRPC, Postgres, Valkey and NATS, and no service's domain."""
