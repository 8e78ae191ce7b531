"""What each answer looks like to a person: a module a noun, without any call and without any printing."""
