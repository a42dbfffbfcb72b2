"""Charts as Vega-Lite specifications, one shape of chart each, and as files."""
