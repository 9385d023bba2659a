"""Let pages of `docs/` link to the files of the repository, and show its pictures.

On GitHub such links work as they are. On the built site, a link out of `docs/` becomes a link to
the repository, and a picture from outside is copied.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

OUTSIDE = re.compile(r"(?P<picture>!?)(?P<text>\[[^\]]*\])\(\.\./(?P<path>[^)\s]+)\)")


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite the links of a page that leave `docs/`.

    Raises:
        FileNotFoundError: There is no such file in the repository.
    """
    repository = Path(config.docs_dir).parent

    def rewrite(link: re.Match) -> str:
        path, _, anchor = link["path"].partition("#")
        if not (repository / path).exists():
            raise FileNotFoundError(f"{page.file.src_uri} links to {path}, which does not exist")
        if not link["picture"]:
            target = f"{config.repo_url}/blob/main/{path}" + (f"#{anchor}" if anchor else "")
            return f"{link['text']}({target})"
        copied = f"images/{path.replace('/', '-')}"
        if copied not in files.src_uris:
            picture = File.generated(config, copied, abs_src_path=str(repository / path))
            files.append(picture)
        return f"!{link['text']}({copied})"

    return OUTSIDE.sub(rewrite, markdown)
