from __future__ import annotations

from pipeline.config.reading.docstrings import parameter_descriptions, summary


def test_descriptions_are_those_of_the_docstring_nearest_to_the_class():
    class Base:
        """A base.

        Parameters
        ----------
        depth, width : of the network,
            in layers and units.
        rate : of learning.

        Attributes
        ----------
        seen : no parameter.
        """

    class Derived(Base):
        """A class
        of two lines.

        Parameters
        ----------
        rate : of forgetting.
        """

    assert parameter_descriptions(Derived) == {
        "rate": "of forgetting.",
        "depth": "of the network, in layers and units.",
        "width": "of the network, in layers and units.",
    }
    assert summary(Derived) == "A class of two lines."


class Elsewhere:
    """Somewhere else.

    Parameters
    ----------
    depth : how deep.
    """


def test_what_another_class_says_is_taken_from_there():
    class Referring:
        """Refers.

        Parameters
        ----------
        depth : see Elsewhere; never more than 9.
        width : see Nowhere.
        """

    class WithPath:
        """Refers, too.

        Parameters
        ----------
        depth : see tests.pipeline.config.reading.test_docstrings.Elsewhere.
        """

    assert parameter_descriptions(Referring) == {
        "depth": "how deep. Never more than 9.",
        "width": "see Nowhere.",
    }
    assert parameter_descriptions(WithPath) == {"depth": "how deep."}
