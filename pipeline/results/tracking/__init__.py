"""A finished run in an experiment tracker: facts first, then a file for each tracker."""
