"""Hand-written source rows of each corpus, which the tests of readers and other tests share."""


def core_row(inverted, **changes):
    return {
        "id": f"E{inverted}",
        "relation": "acquired_by",
        "invert_relation": inverted,
        "e1_start": 0,
        "e1_end": 1,
        "e2_start": 3,
        "e2_end": 3,
        "e1_name": "Salt Works Ltd",  # the register's name, which differs from the text
        "e2_name": "Oz",
        "context": ["Salt", "Works", "bought", "Oz"],
        **changes,
    }


def docred_mention(name, sentence, start, end, kind):
    return {"name": name, "sent_id": sentence, "pos": [start, end], "type": kind}


def docred_document():
    return {
        "title": "Salt Works",
        "sents": [
            ["Mira", "Oz", "was", "born", "in", "Lund", "."],
            ["She", "runs", "Salt", "Works", "of", "Lund", ";", "Oz", "sold", "Salt", "."],
            ["Sweden", "is", "far", "."],
        ],
        "vertexSet": [
            [docred_mention("Oz", 1, 7, 8, "PER"), docred_mention("Mira Oz", 0, 0, 2, "PER")],
            [docred_mention("Salt Works", 1, 2, 4, "ORG"), docred_mention("Salt", 1, 9, 10, "ORG")],
            [docred_mention("Lund", 1, 5, 6, "LOC"), docred_mention("Lund", 0, 5, 6, "LOC")],
            [docred_mention("Sweden", 2, 0, 1, "LOC")],
            [docred_mention("Salt", 1, 2, 3, "MISC")],
        ],
        "labels": [
            {"h": 0, "t": 2, "r": "P19", "evidence": [0]},
            {"h": 1, "t": 0, "r": "P112", "evidence": [1]},
            {"h": 1, "t": 0, "r": "P169", "evidence": [1]},
            {"h": 2, "t": 3, "r": "P17", "evidence": []},
            {"h": 3, "t": 2, "r": "P150", "evidence": []},
            {"h": 4, "t": 1, "r": "P361", "evidence": []},
        ],
    }


def nyt_line(
    sentence, head, tail, relation="", types="PERSON-ORGANIZATION", trigger="TRIGGER:runs"
):
    tags = " ".join("NN" for _ in sentence.split())
    return "\t".join(
        ["->nsubj->", head, tail, types, trigger, "2001/01/02/1.xml", sentence, tags, relation]
    )


NYT_LINES = [
    nyt_line("Mira Oz runs Salt .", "Mira Oz", "Salt", "/business/founder /business/person"),
    nyt_line("Salt was sold off ; Oz , who runs Salt , left .", "Oz", "Salt"),
    nyt_line("Zoë runs Salts .", "Zoë", "Salt"),
    nyt_line("New York beats York .", "York", "New York", types="LOCATION-LOCATION"),
    nyt_line("Oz runs Oz .", "Oz", "Oz"),
    nyt_line("Zoë runs Salt .", "Zoë", "Salt"),
]


OPENNRE_TOKENS = {
    "token": ["Oz", "runs", "Salt", "Works"],
    "h": {"name": "salt works", "id": "Q1", "pos": [2, 4]},
    "t": {"name": "oz", "id": "Q2", "pos": [0, 1]},
    "relation": "director",
}
OPENNRE_TEXT = {
    "text": "Oz runs Salt Works.",
    "h": {"name": "Oz", "pos": [0, 2]},
    "t": {"name": "Salt", "pos": [8, 18]},
}


SEMEVAL_BLOCKS = (
    '1\t"The <e1>flood</e1> came from a "broken" <e2>dam</e2>."\r\n'
    "Cause-Effect(e2,e1)\r\nComment: plain\r\n\r\n"
    '2\t"A <e1>jar</e1> of <e2>jam</e2> from Caf\xe9 Oz."\r\n'
    "Content-Container(e2,e1)\r\nComment:\r\n\r\n"
    '3\t"The <e1>lid</e1> is on the <e2>table</e2>."\r\nOther\r\nComment: none\r\n'
)


def pure_document():
    return {
        "doc_key": "d1",
        "sentences": [
            ["Ridge", "regression", "predicts", "prices", "."],
            ["We", "test", "it", "on", "FarmSet", "."],
        ],
        "ner": [[[0, 1, "Method"], [3, 3, "Task"]], [[9, 9, "Dataset"], [7, 7, "Generic"]]],
        "relations": [[[0, 1, 3, 3, "USED-FOR"]], [[7, 7, 9, 9, "EVALUATED-ON", "", False]]],
    }


MARKED_SENTENCES = [
    "[CLS] <e1:PER> Oz </e1:PER> runs <e2:ORG> Salt </e2:ORG> . [SEP]",
    "<e2> Salt </e2> , said <e1> Oz </e1>",
    # Doubled: the first pair of each entity counts, and the others leave no trace.
    "<e1:PER> Oz </e1:PER> and <e1:PER> Bo </e1:PER> run <e2:ORG> Salt </e2:ORG> .",
]


def spert_sentence():
    return {
        "tokens": ["Oz", "sold", "Salt", "Works", "in", "May"],
        "entities": [
            {"type": "Person", "start": 0, "end": 1},
            {"type": "Company", "start": 2, "end": 4},
            {"type": "Date", "start": 5, "end": 6},
        ],
        "relations": [
            {"type": "Sells", "head": 0, "tail": 1},
            {"type": "SoldIn", "head": 1, "tail": 2},
            {"type": "Owned", "head": 0, "tail": 1},
        ],
    }


TABLE_OFFSETS = {"head_start": 0, "head_end": 7, "tail_start": 14, "tail_end": 18}
TABLE_CHARACTERS = {"sentence": "Ada Roe leads Acme.", **TABLE_OFFSETS}
TABLE_TOKENS = {
    "tokens": ["Ada", "Roe", "leads", "Acme"],
    "head_start": 0,
    "head_end": 2,
    "tail_start": 3,
    "tail_end": 4,
}


def tacred_row(row_id, relation, **changes):
    return {
        "id": row_id,
        "docid": "D1",
        "relation": relation,
        "token": ["Mira", "Oz", "now", "heads", "Salt", "Works", "-LRB-", "Lund", "-RRB-"],
        "subj_start": 4,
        "subj_end": 5,
        "obj_start": 0,
        "obj_end": 1,
        "subj_type": "ORGANIZATION",
        "obj_type": "PERSON",
        "stanford_head": [
            "2",
            "4",
            "4",
            "0",
            "6",
            "4",
            "8",
            "6",
            "8",
        ],  # 1-based strings, which nothing here needs
        **changes,
    }


# Two sentences; the second entity of the second one lies behind an emoji.
NEWS = "Mara Lind founded Petrel Foods in Oslo. Jon Asher 🙂 joined Calyx Labs."
NEWS_ENTITIES = [
    ("Mara Lind", "PER", 0, 9),
    ("Petrel Foods", "ORG", 18, 30),
    ("Oslo", "LOC", 34, 38),
    ("Jon Asher", "PER", 40, 49),
    ("Calyx Labs", "ORG", 59, 69),
]
NEWS_ALL_PAIRS = [
    ("Mara Lind", "Petrel Foods"),
    ("Mara Lind", "Oslo"),
    ("Petrel Foods", "Oslo"),
    ("Jon Asher", "Calyx Labs"),
]

BRAT_ENTITIES = "".join(
    f"T{number}\t{kind} {start} {end}\t{name}\n"
    for number, (name, kind, start, end) in enumerate(NEWS_ENTITIES, 1)
)
BRAT_RELATIONS = "R1\tFounded Arg1:T1 Arg2:T2\t\nR2\tEmployer Arg1:T5 Arg2:T4\n"


def labelstudio_task():
    regions = [
        {
            "id": f"r{number}",
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "value": {"start": start, "end": end, "text": name, "labels": [kind]},
        }
        for number, (name, kind, start, end) in enumerate(NEWS_ENTITIES)
    ]
    relations = [
        {
            "from_id": "r0",
            "to_id": "r1",
            "type": "relation",
            "direction": "right",
            "labels": ["Founded"],
        },
        {
            "from_id": "r3",
            "to_id": "r4",
            "type": "relation",
            "direction": "left",
            "labels": ["Employer"],
        },
    ]
    annotation = {"id": 7, "was_cancelled": False, "result": regions + relations}
    return {"id": 3, "data": {"text": NEWS}, "annotations": [annotation], "predictions": []}


def doccano_line():
    return {
        "id": 4,
        "text": NEWS,
        "entities": [
            {"id": number, "label": kind, "start_offset": start, "end_offset": end}
            for number, (_, kind, start, end) in enumerate(NEWS_ENTITIES, 10)
        ],
        "relations": [
            {"id": 1, "from_id": 10, "to_id": 11, "type": "Founded"},
            {"id": 2, "from_id": 14, "to_id": 13, "type": "Employer"},
        ],
        "Comments": [],
    }


def prodigy_task():
    spans = [{"start": start, "end": end, "label": kind} for _, kind, start, end in NEWS_ENTITIES]
    words = [("Mara", 0), ("Lind", 5), ("founded", 10), ("Petrel", 18), ("Foods", 25)]
    return {
        "text": NEWS,
        "tokens": [
            {"text": word, "start": start, "end": start + len(word), "id": number}
            for number, (word, start) in enumerate(words)
        ],
        "spans": spans,
        "relations": [
            {"head": 1, "child": 4, "label": "Founded"},
            {
                "head": 9,
                "child": 6,
                "label": "Employer",
                "head_span": spans[4],
                "child_span": spans[3],
            },
        ],
        "answer": "accept",
    }


CONLL = """-DOCSTART- -X- -X- O

Mara NNP B-NP B-PER
Lind NNP I-NP I-PER
founded VBD B-VP O
# NN B-NP O
Petrel NNP B-NP B-ORG
Foods NNP I-NP I-ORG

Oslo NNP B-NP I-LOC
sleeps VBZ B-VP O
"""

CONLLU = """# sent_id = n-1
1\tMara\tMara\tPROPN\tNNP\t_\t3\tnsubj\t_\tNER=B-PER
2\tLind\tLind\tPROPN\tNNP\t_\t1\tflat\t_\tNER=E-PER
3\tleads\tlead\tVERB\tVBZ\t_\t0\troot\t_\tner=O
4-5\tdella\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No
4\tdi\tdi\tADP\tIN\t_\t5\tcase\t_\tNER=O
5\tla\tla\tDET\tDT\t_\t3\tobl\t_\tNER=S-ORG
5.1\tgone\tgo\tVERB\tVB\t_\t_\t_\t_\t_
6\t.\t.\tPUNCT\t.\t_\t3\tpunct\t_\t_
"""

CONLLU_BRACKETS = """# global.Entity = eid-etype-head-other
# sent_id = g-1
1\tMara\tMara\tPROPN\tNNP\t_\t3\tnsubj\t_\tEntity=(e1-person-1
2\tLind\tLind\tPROPN\tNNP\t_\t1\tflat\t_\tEntity=e1)
3\tleads\tlead\tVERB\tVBZ\t_\t0\troot\t_\t_
4\tLabs\tLab\tPROPN\tNNP\t_\t3\tobj\t_\tEntity=(e2-organization-1
5\tof\tof\tADP\tIN\t_\t6\tcase\t_\t_
6\tOslo\tOslo\tPROPN\tNNP\t_\t4\tnmod\t_\tEntity=(e3-place-1)e2)
"""
