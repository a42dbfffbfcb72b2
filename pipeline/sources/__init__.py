"""Where the rows come from: one file per kind of source, and the registry the grid's `data: source` names."""

from pipeline.sources.cifar10 import Cifar10
from pipeline.sources.folder import Folder
from pipeline.sources.huggingface import HuggingFace
from pipeline.sources.openmoji import OpenMoji
from pipeline.sources.table import Table

SOURCES: dict[str, type] = {
    "table": Table,
    "folder": Folder,
    "cifar10": Cifar10,
    "openmoji": OpenMoji,
    "huggingface": HuggingFace,
}
