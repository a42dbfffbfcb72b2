"""YAML that anybody may have written, as plain values within bounds."""
