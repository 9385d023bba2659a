"""The phrases of clusters, against counts by hand and in many scripts."""

from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_siamure.clustering import Clusters
from modeling_siamure.clustering.descriptions import describe_clusters
from modeling_siamure.clustering.phrases import distinctive_phrases
from modeling_siamure.markers import MarkedSentence, insert_markers

PEOPLE = [("Mara Lind", "Petrel"), ("Jon Asher", "Calyx"), ("Rolf Aune", "Orrin")]


def sentence_of(text: str, head: str, tail: str) -> MarkedSentence:
    spans = [(text.index(name), text.index(name) + len(name)) for name in (head, tail)]
    return MarkedSentence(text, *spans)


def phrases_of(*clusters: list[MarkedSentence], **options) -> list[list[str]]:
    labels = np.repeat(np.arange(len(clusters)), [len(cluster) for cluster in clusters])
    return distinctive_phrases(list(chain(*clusters)), labels, len(clusters), **options)


def first_of(*templates: str, pairs=PEOPLE) -> list[str]:
    """Return the first phrase of each cluster; its sentences are one template each."""
    clusters = [
        [sentence_of(template.format(head=head, tail=tail), head, tail) for head, tail in pairs]
        for template in templates
    ]
    return [phrases[0] for phrases in phrases_of(*clusters)]


def test_weights_by_hand():
    """Shares of sentences, and of the others as if one more had the phrase and one more had not.

    Cluster 0: *led* in 3 of 3, elsewhere (0 + 1) / (3 + 2): 1 x log(5)^2 = 2.59. *Led the* in 2 of
    3, elsewhere 1 / 5: 2 x 2/3 x log(10/3)^2 = 1.93; *led the big* in 1 of 3, which is too few.
    Cluster 1: *sued the* in 2 of 3, as *led the*, before *sued*, with half of that.
    """
    phrases = phrases_of(
        [
            sentence_of("Ada led Acme", "Ada", "Acme"),
            sentence_of("Bo led the Bolt", "Bo", "Bolt"),
            sentence_of("Cy led the big Core", "Cy", "Core"),
        ],
        [
            sentence_of("Ada sued the Acme", "Ada", "Acme"),
            sentence_of("Bo sued the Bolt", "Bo", "Bolt"),
            sentence_of("Cy quit Core", "Cy", "Core"),
        ],
    )
    assert phrases == [["led"], ["sued the"]]


def test_phrases_around_the_mentions_count_half():
    """Between: 1/2 x log(1/2 / (1/4))^2 x 1. Around: a quarter of the sentences, no more than q."""
    inside = sentence_of("Ada led Acme", "Ada", "Acme")
    outside = sentence_of("Bo, Bolt: sued", "Bo", "Bolt")
    other = [sentence_of("Cy at Core", "Cy", "Core"), sentence_of("Di by Dyno", "Di", "Dyno")]
    assert phrases_of([inside, outside], other)[0] == ["led"]
    whole = phrases_of([inside, outside], other, weight_around=1.0)
    assert whole[0] == ["led", "sued"]


def test_three_words_around_the_mentions_and_all_between():
    text = "far off she once saw Ada quit three old firms at Acme, long before the very end"
    one = [sentence_of(text, "Ada", "Acme")]
    other = [sentence_of("Bo sued Bolt", "Bo", "Bolt")]
    phrases = phrases_of(one, other, max_words=1, num_phrases=20, weight_around=1.0)[0]
    words = {"she", "once", "saw", "quit", "three", "old", "firms", "at", "long", "before", "the"}
    assert set(phrases) == words
    nested = MarkedSentence("one two Ada of Acme led", (8, 19), (15, 19))
    phrases = phrases_of([nested], other, max_words=1, weight_around=1.0)[0]
    assert sorted(phrases) == ["led", "one", "two"]


def test_a_sentence_with_many_pairs_counts_once():
    text = "Ada, Bo and Cy came to sell Acme"
    repeated = [sentence_of(text, name, "Acme") for name in ("Ada", "Bo", "Cy")]
    others = [sentence_of(f"{name} led Acme", name, "Acme") for name in ("Di", "Ed")]
    rest = [sentence_of("Flo sued Bolt", "Flo", "Bolt")]
    assert phrases_of(repeated + others, rest)[0] == ["led"]


def test_head_and_tail_order():
    """Marked where the tail comes first, unless both orders are as typical."""
    assert first_of("{tail} was founded by {head}", "{head} sued {tail}") == [
        "← was founded by",
        "sued",
    ]
    # The same words tell the two apart by their order alone.
    assert first_of("{tail} was founded by {head}", "{head} was founded by {tail}") == [
        "← was founded by",
        "was founded by",
    ]
    both = [
        sentence_of("Ada married Bo", "Ada", "Bo"),
        sentence_of("Cy married Di", "Di", "Cy"),
    ]
    assert phrases_of(both, [sentence_of("Ed sued Flo", "Ed", "Flo")])[0] == ["married"]


def test_function_words_never_stand_alone():
    """*The* and *of* occur in all clusters, and more often in the first one."""
    verbs = ("founder", "owner", "rival", "client")
    clusters = []
    for number, verb in enumerate(verbs):
        cluster = [sentence_of(f"Ada{i} the {verb} of Acme", f"Ada{i}", "Acme") for i in range(3)]
        cluster += [sentence_of(f"Bo{i} met Bolt", f"Bo{i}", "Bolt") for i in range(number)]
        clusters.append(cluster)
    phrases = phrases_of(*clusters)
    assert [cluster[0] for cluster in phrases] == [f"the {verb} of" for verb in verbs]
    assert not {"the", "of", "← the", "← of"} & {phrase for found in phrases for phrase in found}


def test_function_words_rather_than_nothing():
    assert first_of("{head} of {tail}", "{head} of {tail}.")[0] == "of"


@pytest.mark.parametrize(
    ("templates", "expected"),
    [
        # Nouns have capitals; so have headlines.
        (
            [
                "{head} ist die Gründerin der Firma {tail}.",
                "{head} ist die Klägerin gegen die Firma {tail}.",
            ],
            ["die Gründerin der Firma", "Klägerin gegen die Firma"],
        ),
        (["{head} FOUNDED {tail}.", "{head} SUES {tail}."], ["FOUNDED", "SUES"]),
        (["{head} is the CEO of {tail}", "{head} sued {tail}"], ["is the CEO of", "sued"]),
        # Accents as macOS writes them, an apostrophe inside, and one behind a mention.
        (
            ["{head} a cre\u0301e\u0301 {tail}", "{head} a quitte\u0301 {tail}"],
            ["a créé", "a quitté"],
        ),
        (["{head} quitte l'usine {tail}", "{head} loue {tail}"], ["quitte l'usine", "loue"]),
        (["{tail}'s owner, {head}", "{head} sued {tail}"], ["← 's owner", "sued"]),
        (["{head} up-regulates {tail}", "{head} binds {tail}"], ["up-regulates", "binds"]),
        (["{head} , wholly - owned by {tail}", "{head} sued {tail}"], ["wholly owned by", "sued"]),
        # Vowel signs, joiners, and marks that follow letters.
        (["{head} की स्थापना {tail}", "{head} पर मुकदमा {tail}"], ["की स्थापना", "पर मुकदमा"]),
        (
            ["{head} நிறுவனத்தை நிறுவினார் {tail}", "{head} மீது வழக்கு {tail}"],
            ["நிறுவனத்தை நிறுவினார்", "மீது வழக்கு"],
        ),
        (["{head} أَسَّسَ شَرِكَةَ {tail}", "{head} يَعْمَلُ لَدى {tail}"], ["أَسَّسَ شَرِكَةَ", "يَعْمَلُ لَدى"]),
        (["{head} می‌سازد {tail}", "{head} می‌رود {tail}"], ["می‌سازد", "می‌رود"]),
        # No spaces between words.
        (["{head}去年创立了{tail}。", "{head}起诉了{tail}。"], ["去年创立了", "起诉了"]),
        (["{tail}の社長は{head}です", "{tail}を訴えた{head}は"], ["← の社長は", "← を訴えた"]),
        (["{head}ก่อตั้ง{tail}", "{head}เป็นประธานของ{tail}"], ["ก่อตั้ง", "เป็นประธานของ"]),
        (
            ["{head}은 {tail}을 설립했다.", "{head}은 {tail}에서 일한다."],
            ["을 설립했다", "에서 일한다"],
        ),
        (["{head} основала {tail}", "{head} работает в {tail}"], ["основала", "работает в"]),
    ],
)
def test_whole_words_of_any_script(templates, expected):
    assert first_of(*templates) == expected


def test_names_of_other_entities_are_left_out():
    """*Paris* is mostly a mention, and *Berlin* is capitalized where frequent words are not."""
    others = [f"{chr(97 + i)}{chr(98 + i)}c" for i in range(20)]
    texts = [f"Ada met in Berlin and in Paris {' '.join(others)} NATO Bo" for _ in range(5)]
    met = [sentence_of(f"{text} {i}", "Ada", "Bo") for i, text in enumerate(texts)]
    likes = [sentence_of(f"{name} likes Paris", name, "Paris") for name in ("Ada", "Bo", "Cy") * 3]
    phrases = phrases_of(met, likes, max_words=1, num_phrases=50)
    assert set(phrases[0]) == {"met", "in", "and", "NATO", *others} and phrases[1] == ["likes"]
    # With fewer words nobody knows whether Berlin is a noun.
    few = [sentence_of(f"Ada met in Berlin and in Paris Bo {i}", "Ada", "Bo") for i in range(5)]
    assert set(phrases_of(few, likes, max_words=1)[0]) == {"met", "in", "Berlin", "and"}


def test_a_word_is_written_as_it_mostly_is():
    first = [sentence_of(f"{verb} by Ada: Acme", "Ada", "Acme") for verb in ("Founded", "founded")]
    first.append(sentence_of("Acme founded by Bo", "Bo", "Acme"))
    other = [sentence_of("Ada sued Acme", "Ada", "Acme")]
    assert phrases_of(first, other, weight_around=1.0)[0][0] == "founded by"


def test_numbers_end_a_phrase():
    texts = [f"Ada won 3 of 19th cups at Acme{i}" for i in range(2)]
    cluster = [sentence_of(text, "Ada", text.split()[-1]) for text in texts]
    other = [sentence_of("Bo sued Bolt", "Bo", "Bolt")]
    assert phrases_of(cluster, other)[0] == ["cups at", "of", "won"]


words = st.sampled_from(["led", "the", "quit", "of", "von", "Firma", "與", "社長", "की", "'s", "-"])


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.lists(words, max_size=5), st.integers(0, 3), st.booleans()), min_size=1),
    st.randoms(),
)
def test_phrases_are_parts_of_the_sentences_in_any_order_of_rows(rows, random):
    texts = []
    for found, _, is_tail_first in rows:
        text = " ".join(["Ada", *found, "Acme"])
        spans = [(0, 3), (len(text) - 4, len(text))]
        texts.append(insert_markers(text, *(spans[::-1] if is_tail_first else spans)))
    labels = np.array([label for _, label, _ in rows])

    def describe(order):
        clusters = Clusters(labels[order], np.zeros((4, 1)))
        chosen = [texts[row] for row in order]
        return describe_clusters(chosen, np.ones((len(rows), 1)), clusters)

    described = describe(np.arange(len(rows)))
    assert len({cluster.name for cluster in described}) == 4
    again = describe(np.array(random.sample(range(len(rows)), len(rows))))
    assert [cluster.words for cluster in again] == [cluster.words for cluster in described]
    for number, cluster in enumerate(described):
        written = " ".join(
            text for text, label in zip(texts, labels, strict=True) if label == number
        )
        written = written.replace(" ", "").replace("-", "")
        for phrase in cluster.words:
            assert phrase.removeprefix("← ").replace(" ", "") in written
