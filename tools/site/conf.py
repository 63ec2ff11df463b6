"""Settings of Sphinx (https://www.sphinx-doc.org/en/master/usage/configuration.html) for ``python -m tools.site``."""

from __future__ import annotations

import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(_ROOT))

project = "Autos"
author = "the contributors of Autos"
language = "en"
root_doc = "index"
extensions = ["myst_parser", "tools.site.extension"]
exclude_patterns = ["examples/**", "events/**", "postman/**"]

# ---- Markdown --------------------------------------------------------------------------------------------
# The anchors of headings are those that GitHub makes, so that one link serves both.
myst_heading_anchors = 4
myst_url_schemes = {"http": None, "https": None, "mailto": None, "repository": None}

# ---- HTML ------------------------------------------------------------------------------------------------
html_theme = "furo"
html_title = "Autos"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_use_index = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_theme_options = {"navigation_with_keys": True}
pygments_style = "tango"
pygments_dark_style = "monokai"
