"""Every RPC of every service as the tools that people use call it, over reflection alone.

tools   the tools
cases   what a case is, and those that all services have
calls   the cases of every service
others  the cases of one service each, in an order in which each has what it needs
"""
