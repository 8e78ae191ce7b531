"""What packages and builds hold, by SHA-256: where all replicas reach it, and as files of this one."""
