"""The soak: hours at half of capacity, in which nothing may grow, and then more than can be served.

mix       the calls
samples   what is measured meanwhile
growth    whether it grows
overload  what becomes of calls that are too many
page      the page about it, with its plots
"""
