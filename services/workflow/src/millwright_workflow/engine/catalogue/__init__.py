"""The functions of the built-in catalogue, as instances call them."""
