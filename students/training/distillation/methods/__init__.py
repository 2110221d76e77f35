"""One file per distillation method, each named by an entry point of the group ``students.methods``."""
