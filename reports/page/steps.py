"""The steps of a run in plain words: what each is called on its page, and what it does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

SHORTEST = 0.1  # seconds; what took less is nothing that anybody waited for


class Words(NamedTuple):
    """A step's name for a reader, and what it does, in a sentence."""

    title: str
    sentence: str


# By what progress calls steps, and tasks of a kind.
STEPS: dict[str, Words] = {
    "read and check the data, draw folds": Words(
        "Read the data", "Rows are read and checked, and divided into folds."),
    "read the rows": Words("Read the rows", "What the table or folder of the grid holds."),
    "read pictures": Words("Read pictures", "Each file once, to know which are the same."),
    "check pictures": Words(
        "Check pictures", "Each is decoded in full: what cannot be read is said before any work."),
    "draw folds": Words(
        "Draw folds", "Which rows are learned from and which are tested, the same for all cells."),
    "look for leaks and duplicates": Words(
        "Look for leaks", "Training rows that would give the class of a test row away."),
    "look for pictures that are nearly the same": Words(
        "Look for similar pictures", "Pictures that differ in no more than size or compression."),
    "look for texts that are nearly the same": Words(
        "Look for similar texts", "Texts that share most of their words."),
    "look for the report of the very same": Words(
        "Look for the report", "A report that would be made of the very same stays as it is."),
    "encode and fit": Words("Encode and fit", "What the grid compares."),
    "Encoding": Words(
        "Encode", "Each distinct picture and text becomes numbers, once for all cells and folds."),
    "Features": Words(
        "Learn features", "Encoders that learn do so on the training rows of each fold alone."),
    "Fits": Words(
        "Fit", "Each cell learns on the training rows of each fold, and predicts its test rows."),
    "Spaces": Words(
        "Learn spaces", "Where pictures and texts are near each other, on each fold's training "
        "rows."),
    "Combinations": Words(
        "Combine", "Late fusion of predictions that are there already: little is computed."),
    "score": Words("Score", "Predictions are compared with the true classes."),
    "Same class": Words(
        "Compare neighbours", "Whether the training rows next to a test row have its class."),
    "look for rows of the same class": Words(
        "Compare neighbours", "Whether the training rows next to a test row have its class."),
    "fit on inner folds what could be chosen": Words(
        "Choose honestly", "Cells that may be the best are fitted on inner folds, so that none is "
        "chosen by the rows that it is scored on."),
    "learn on inner folds what could be chosen": Words(
        "Choose honestly", "What may be the best is learned on inner folds, so that none is chosen "
        "by the rows that it is scored on."),
    "Inner folds": Words(
        "Choose honestly", "Cells that may be the best are fitted on inner folds, so that none is "
        "chosen by the rows that it is scored on."),
    "Inner ranks": Words(
        "Choose honestly", "What may be the best is learned on inner folds, so that none is chosen "
        "by the rows that it is scored on."),
    "answer": Words("Answer", "What the scores say of the question that was fixed before."),
    "ask what was attended to": Words(
        "Look at attention", "Which parts of pictures and texts the attention models look at."),
    "ask the best cells about altered rows": Words(
        "Alter test rows", "How the best cells do where a picture or a text is missing or wrong."),
    "Altered rows": Words(
        "Alter test rows", "How the best cells do where a picture or a text is missing or wrong."),
    "Attention": Words(
        "Look at attention", "Which parts of pictures and texts the attention models look at."),
    "look for doubtful labels": Words(
        "Look for doubtful labels", "Rows whose class all cells' predictions speak against."),
    "learning curve": Words(
        "Learning curve", "The best cells once more, with fewer labels."),
    "write the results and the report": Words(
        "Write the report", "The results as files, and the page that explains them."),
}


@dataclass
class Step:
    """A step as the page shows it: all stages of a run that have the same title.

    Attributes
    ----------
    seconds : that they took together.
    left : seconds that those which go on still take; None where that is not known.
    now : what is done at the moment.
    """

    title: str
    sentence: str
    state: str = "ended"
    done: int = 0
    total: int = 0
    noun: str = ""
    seconds: float = 0.0
    left: float | None = None
    now: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, stage: Mapping[str, Any]) -> None:
        """Take in a stage of progress.json."""
        if stage["total"] and self.noun in ("", stage["noun"]):
            self.done, self.total = self.done + stage["done"], self.total + stage["total"]
            self.noun = stage["noun"]
        self.seconds += stage["seconds"]
        if stage["state"] == "running":
            self.state, self.left = "running", stage["left"]
            self.now += [piece for piece in stage["now"] if piece["doing"] != stage["name"]]


def words_of(name: str) -> Words:
    """What a step is called and does; one that nobody described has its name alone."""
    known, _, shares = name.partition(" with ")  # of the labels: the learning curve
    if name not in STEPS and known in STEPS and shares:
        return Words(f"{STEPS[known].title} with {shares}", STEPS["learning curve"].sentence)
    return STEPS.get(name) or Words(name[:1].upper() + name[1:], "")


def steps_of(stages: Iterable[Mapping[str, Any]]) -> list[Step]:
    """The steps in the order in which they began, each once; without those that took no time.

    Parameters
    ----------
    stages : of progress.json.
    """
    steps: dict[str, Step] = {}
    for stage in stages:
        words = words_of(stage["name"])
        steps.setdefault(words.title, Step(*words)).add(stage)
    return [
        step for step in steps.values()
        if step.state == "running" or step.total or step.seconds >= SHORTEST
    ]
