"""One file per architecture; each has Options, TITLE, MODE and build."""
