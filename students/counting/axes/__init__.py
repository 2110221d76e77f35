"""Which axis of a tensor tells the decodes apart, and how many products each input element takes part in."""
