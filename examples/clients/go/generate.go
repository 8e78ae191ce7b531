package main

// `buf` comes with `make setup`, in .venv/bin at the top of the repository; the plugins are pinned in go.mod.
//go:generate ../../../.venv/bin/buf generate
