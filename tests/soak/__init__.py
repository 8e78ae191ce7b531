"""The soak: hours at half of capacity, in which nothing may grow, and then more than can be served.

mix          the calls
rare         calls that come seldom and take long: installs, replays, rollbacks, watches, and work for a worker
samples      what is measured meanwhile
growth       whether it grows
flood        calls that are too many, from processes of their own
emergencies  calls that are let in nevertheless
overload     what becomes of both
run          one run: a stack, and the soak of it
page         the page about it, with its plots
"""
