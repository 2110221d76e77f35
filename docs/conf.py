"""How the documentation site is built: ``make docs``, pages in ``build/docs``."""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

project = "cosim"
author = "cosim developers"
copyright = "cosim developers"
release = str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])
version = release

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_nb",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["make", "_build"]
templates_path = ["_templates"]

# Notebooks are kept executed, and a test runs them: the site shows what they hold.
shutil.copytree(ROOT / "notebooks", HERE / "notebooks", dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
# Pages of the top folder: links into docs are kept, of links to other files the text.
for page in ("CHANGELOG.md", "CONTRIBUTING.md"):
    text = (ROOT / page).read_text(encoding="utf-8").replace("](docs/", "](../")
    text = re.sub(r"\[([^\]]*)\]\((?!https?:|\.\./|#|CHANGELOG|CONTRIBUTING)[^)]*\)", r"\1", text)
    (HERE / "development" / page).write_text(text, encoding="utf-8")

nb_execution_mode = "off"
myst_enable_extensions = ["colon_fence", "dollarmath", "smartquotes"]
myst_heading_anchors = 3

autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"exclude-members": "model_config"}
python_display_short_literal_types = True
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
python_maximum_signature_line_length = 88

# References inside of the site must resolve; names of other projects are not looked up, so that no network is needed.
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r".*")]
suppress_warnings = ["ref.python"]  # a dimension in an annotation that has the name of some attribute

html_theme = "pydata_sphinx_theme"
html_title = "cosim"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_sidebars = {"index": [], "tutorial": []}
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "navbar_align": "left",
    "show_prev_next": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}


def skip_class_of_another_package(app: Any, what: str, name: str, found: object, *_: object) -> bool | None:
    """Return True for a class that a door shows and another package holds: it is described on that package's page."""
    package = app.env.docname.rpartition("/")[2].partition(".")[0]
    foreign = isinstance(found, type) and found.__module__.partition(".")[0] != package
    return True if what == "module" and foreign else None


def setup(app: Any) -> None:
    """Connect what is above."""
    app.connect("autodoc-skip-member", skip_class_of_another_package)
