"""The kinds of stages, one file each: its name, the roles of its parents, and its work; `registry` lists them."""
