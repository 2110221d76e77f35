"""What runs stages: the protocol in `executor`, processes of this machine in `local`."""
