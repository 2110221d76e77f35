"""Files of numbers, checked before anything of them is read into memory."""

from cosim.datasets.array_files.claimed_size import check_mat, check_npy, check_npz, names_in_archive

__all__ = ["check_mat", "check_npy", "check_npz", "names_in_archive"]
