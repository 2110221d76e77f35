"""What a distillation method is, what it reads of student and teacher, and the losses that methods share."""
