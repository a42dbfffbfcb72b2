"""Where the rows come from: a file per kind of source; SOURCES has the grid's names of them."""

from pipeline.data.sources.cifar10 import Cifar10
from pipeline.data.sources.emoji.openmoji import OpenMoji
from pipeline.data.sources.folder import Folder
from pipeline.data.sources.huggingface import HuggingFace
from pipeline.data.sources.questions.easy_vqa import EasyVqa
from pipeline.data.sources.questions.shapes import Shapes
from pipeline.data.sources.table import Table

SOURCES: dict[str, type] = {
    "table": Table,
    "folder": Folder,
    "cifar10": Cifar10,
    "openmoji": OpenMoji,
    "huggingface": HuggingFace,
    "easy_vqa": EasyVqa,
    "shapes": Shapes,
}
