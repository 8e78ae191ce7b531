"""The command of the sample service: `python -m runtime_sample serve | migrate`."""

from millwright_runtime.service import main

from runtime_sample.service import SERVICE

main(SERVICE)
