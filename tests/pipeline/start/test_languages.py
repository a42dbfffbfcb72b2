"""Languages are told by letters and function words, and left open where these say too little."""

from __future__ import annotations

import pytest

from pipeline.start.languages import language_of

TEXTS = {
    "en": "A red sofa with a soft seat and the legs of wood. This lamp gives a warm light for you",
    "de": "Ein rotes Sofa mit weichem Sitz und Beinen aus Holz. Diese Lampe gibt ein warmes Licht",
    "fr": "Un canapé rouge avec une assise douce et des pieds en bois pour la chambre",
    "es": "Un sofá rojo con un asiento suave y las patas de madera para la habitación",
    "it": "Un divano rosso con una seduta morbida e le gambe di legno per la camera",
    "nl": "Een rode bank met een zachte zitting en poten van hout voor de kamer",
    "ru": "Красный диван с мягким сиденьем и ножками из дерева, эта лампа для комнаты",
    "el": "Ένας κόκκινος καναπές με μαλακό κάθισμα",
    "zh": "一张红色的沙发",
    "ko": "부드러운 좌석이 있는 빨간 소파",
}


@pytest.mark.parametrize("language", TEXTS)
def test_a_language_is_told(language: str):
    guess = language_of([TEXTS[language]])
    assert guess.language == language
    assert guess.why


@pytest.mark.parametrize("text", ["Nike Blue 43", "赤いソファとやわらかい座面", "12 345", ""])
def test_what_tells_too_little_is_left_open(text: str):
    assert language_of([text]).language is None


def test_short_headlines_have_function_words_enough():
    headlines = [f"The match and the goal of day {day}" for day in range(9)]
    assert language_of(headlines).language == "en"


def test_most_texts_decide():
    assert language_of([TEXTS["en"]] * 9 + [TEXTS["de"]]).language == "en"
