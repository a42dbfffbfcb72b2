"""What goes wrong when a cell is used."""


class BundleError(Exception):
    """Why a cell cannot be bundled, or a bundle not be used, in words for whoever asked."""
