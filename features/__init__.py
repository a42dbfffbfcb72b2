"""Encoders by the name that a grid calls them: pictures and texts in, Blocks out."""

from __future__ import annotations

from features.encoder import Encoder
from features.encoders.bag_of_words import BagOfWords
from features.encoders.clip import CLIPImage, CLIPText
from features.encoders.cnn import CNN
from features.encoders.cnn_pyramid import CNNPyramid
from features.encoders.handcrafted import Handcrafted
from features.encoders.sentence_bert import SentenceBert
from features.encoders.small_resnet import SmallResNet
from features.encoders.small_vgg import SmallVGG
from features.encoders.tfidf import Tfidf
from features.encoders.universal_sentence import UniversalSentence
from features.encoders.word2vec import Word2Vec

IMAGE_ENCODERS: dict[str, type[Encoder]] = {
    "cnn": CNN,
    "cnn_pyramid": CNNPyramid,
    "clip": CLIPImage,
    "handcrafted": Handcrafted,
    "small_resnet": SmallResNet,
    "small_vgg": SmallVGG,
}
TEXT_ENCODERS: dict[str, type[Encoder]] = {
    "bow": BagOfWords,
    "tfidf": Tfidf,
    "word2vec": Word2Vec,
    "sbert": SentenceBert,
    "clip": CLIPText,
    "use": UniversalSentence,
}
