"""What each chart shows, decided once: `html.svg`, the page's script and `plots.painter` only draw it."""
