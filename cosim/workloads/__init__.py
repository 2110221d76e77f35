"""Networks named on the command line and their workloads."""
