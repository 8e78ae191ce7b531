"""The chaos suite: all services on real processes under load, harmed by a seeded plan, and held to what they promised.

world    what is there: servers, two replicas of each service, and the links between them
faults   what is done to it, and when
load     who calls, and what each of them was told, kept in the book
checker  whether what is there afterwards is what was told
report   the page about it
"""
