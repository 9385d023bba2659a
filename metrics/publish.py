"""Publishes the metric as a Space of the hub: shows what it would send; `--push` sends it.

    python metrics/publish.py ORG/b_cubed [--push]

The token is the one of `hf auth login`, or HF_TOKEN. Afterwards `evaluate.load("ORG/b_cubed")`
works anywhere.
"""

import argparse
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HTTPError

FOLDER = Path(__file__).parent / "b_cubed"
FILES = ["README.md", "app.py", "b_cubed.py", "requirements.txt"]


def main() -> None:
    """Run the command; a mistake, or an error of the hub, ends it with one line and status 2."""
    parser = argparse.ArgumentParser(
        prog="publish.py", description="Publish the metric as a Space of the hub."
    )
    parser.add_argument(
        "repo_id",
        metavar="ORG/b_cubed",
        help="the Space; `evaluate` wants it named as the module is",
    )
    parser.add_argument(
        "--push",
        action="store_true",
        help="create the Space and send the files, instead of listing them",
    )
    arguments = parser.parse_args()

    organization, _, name = arguments.repo_id.partition("/")
    if not organization or name != FOLDER.name:
        parser.exit(
            2,
            f"publish.py: repo_id {arguments.repo_id!r} has to be ORG/{FOLDER.name}, with your "
            "name for ORG\n",
        )
    if not arguments.push:
        print(f"Would create the Space {arguments.repo_id} and send (add --push to do it):")
        for file in FILES:
            print(f"{(FOLDER / file).stat().st_size:>8} bytes  {file}")
        return
    try:
        api = HfApi()
        url = api.create_repo(
            arguments.repo_id, repo_type="space", space_sdk="gradio", exist_ok=True
        )
        api.upload_folder(
            repo_id=arguments.repo_id,
            repo_type="space",
            folder_path=FOLDER,
            allow_patterns=FILES,
            commit_message="Update the metric",
        )
    except (HTTPError, OSError) as error:
        parser.exit(
            2,
            f"publish.py: {arguments.repo_id} was not published: {' '.join(str(error).split())}\n",
        )
    print(f"Published {url}")


if __name__ == "__main__":
    main()
