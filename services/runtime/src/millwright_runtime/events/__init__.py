"""Events: written with the change they tell of, published to JetStream afterwards, taken in once, and watched."""
