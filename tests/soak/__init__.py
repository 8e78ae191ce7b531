"""The soak: hours at half of capacity, in which nothing may grow, and then more than can be served.

mix       the calls
rare      calls that come seldom and take long: installs, replays, rollbacks, watches, and work for a worker
samples   what is measured meanwhile
growth    whether it grows
overload  what becomes of calls that are too many
page      the page about it, with its plots
"""
