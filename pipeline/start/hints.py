"""What the names of columns say of their values, in the languages that tables are often in."""

from __future__ import annotations

import re
from collections.abc import Collection


def _of(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Words of names -> what such a column holds. A word is a hint, and never decides alone.
LABEL = _of("""
    label labels class classes category categories target y kind type genre species sentiment
    topic emotion intent diagnosis answer department klasse kategorie zielklasse classe catégorie
    categorie étiquette categoría categoria clase etiqueta tipo klass kategoria категория класс
    метка 类别 分类 标签 類別 ラベル カテゴリ
""")
TEXT = _of("""
    text texts title titles description descriptions caption captions name names comment comments
    review reviews question body headline message content summary abstract sentence utterance
    query post tweet document words product titel beschreibung bezeichnung überschrift texte titre
    libellé titulo título descripción descripcion descrição texto titolo descrizione testo
    текст название описание 标题 描述 文本 名称 タイトル 説明
""")
FIRST_TEXT = _of("title titel titre titulo título titolo headline name 标题 名称")
ID = _of("""
    id ids uid uuid guid sku asin ean gtin isbn key index identifier pk rowid filename file nr no
    num number nummer numéro número artikelnummer
""")
GROUP = _of("""
    group groups brand brands patient user author seller vendor manufacturer maker designer
    artist photographer creator session document family series parent store shop publisher
    customer person speaker writer domain synset gruppe marke hersteller autor marque marca
    fabricant auteur бренд 品牌
""")
# Numbers of these names measure something: they are no classes.
MEASURE = _of("""
    price cost amount total width height depth weight length size quantity count number score
    year month day hour age lat lon lng latitude longitude discount duration rank page preis
    breite höhe gewicht anzahl jahr prix precio
""")


def words_of(name: str) -> frozenset[str]:
    """The words of a column's name, small: "productTitle_2" is product and title."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return frozenset(re.findall(r"[^\W\d_]+", apart.casefold()))


def is_named(name: str, hints: Collection[str]) -> bool:
    """Whether a word of the name is a hint."""
    return not words_of(name).isdisjoint(hints)


def is_just(name: str, hints: Collection[str]) -> bool:
    """Whether the whole name is a hint."""
    return name.strip().casefold() in hints
