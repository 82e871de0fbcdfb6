"""The parts of the HTML report; `report.to_html` puts them together."""
