"""The web site: the Markdown pages of this folder, by Sphinx. `make site` builds it in build/site, warnings count as errors."""

project = "xasuite"
extensions = ["myst_parser"]
myst_heading_anchors = 3
myst_url_schemes = ["http", "https", "mailto"]
html_theme = "furo"
html_title = "xasuite"
# links to files beside docs/ (specs, notebooks) are for readers of the repository
suppress_warnings = ["myst.xref_missing"]
