"""One file per distillation method: losses as pure functions of tensors."""
