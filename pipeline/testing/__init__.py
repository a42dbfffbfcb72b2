"""The contract checks of encoders, fusions, classifiers, metrics, sections and sources.

`python -m pipeline.testing MODULE` carries them out on the parts of a plugin; in a suite of one's
own they are `pytest.mark.parametrize("check", checks_of("MODULE"), ids=str)`.
"""

from pipeline.testing.battery import Check, checks_of

__all__ = ["Check", "checks_of"]
