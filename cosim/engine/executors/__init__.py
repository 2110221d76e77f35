"""What runs stages: the protocol in `executor`; this machine in `local`, a Dask cluster in `dask_executor`."""
