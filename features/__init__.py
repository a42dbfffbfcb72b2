"""Encoders: pictures and texts in, Blocks out. These two dicts are the only registries."""

from __future__ import annotations

from features.bag_of_words import BagOfWords, Tfidf
from features.cnn import CNN
from features.encoder import Encoder
from features.handcrafted import Handcrafted
from features.sentence_bert import SentenceBert
from features.small import SmallResNet, SmallVGG
from features.word2vec import Word2Vec

IMAGE_ENCODERS: dict[str, type[Encoder]] = {
    "cnn": CNN,
    "handcrafted": Handcrafted,
    "small_resnet": SmallResNet,
    "small_vgg": SmallVGG,
}
TEXT_ENCODERS: dict[str, type[Encoder]] = {
    "bow": BagOfWords,
    "tfidf": Tfidf,
    "word2vec": Word2Vec,
    "sbert": SentenceBert,
}
