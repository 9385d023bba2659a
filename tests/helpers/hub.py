"""A hub on the loopback address: enough of the Hugging Face Hub's HTTP interface to push, load and
stream offline.

Repositories live in memory, one snapshot of files per commit. Files travel inside the commit request,
or by LFS where a library counts on that (`datasets` deletes a shard as soon as it is uploaded); Xet
has to be switched off."""

import base64
import hashlib
import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

TOKEN = "hf_loopback"
LARGE = (".parquet", ".safetensors")  # what goes by LFS
USER = "loopback"  # owns what is created under a bare name

Files = dict[str, bytes]
FILE_URL = re.compile(r"/(?:(datasets|spaces)/)?([^/]+?(?:/[^/]+?)?)/resolve/([^/]+)/(.+)")
API_URL = re.compile(
    r"/api/(models|datasets|spaces)/([^/]+?(?:/[^/]+?)?)"
    r"(?:/(revision|tree|paths-info|preupload|commit|refs)(?:/([^/]+)(?:/(.*))?)?)?"
)


class HubError(Exception):
    """An answer other than success: status, the hub's error code (may be empty), and a message."""

    def __init__(self, status: int, code: str, message: str):
        super().__init__(message)
        self.status, self.code = status, code


class Repo:
    """The commits of one repository, oldest first."""

    def __init__(self, private: bool = False):
        self.private = private
        self.commits: dict[str, Files] = {}
        self.commit({})

    @property
    def head(self) -> str:
        return list(self.commits)[-1]

    @property
    def files(self) -> Files:
        return self.commits[self.head]

    def commit(self, files: Files) -> str:
        digest = hashlib.sha1(f"{len(self.commits)}".encode())
        for path in sorted(files):
            digest.update(path.encode() + b"\0" + files[path])
        self.commits[digest.hexdigest()] = files
        return digest.hexdigest()

    def at(self, revision: str) -> tuple[str, Files]:
        sha = self.head if revision == "main" else revision
        if sha not in self.commits:
            raise HubError(404, "RevisionNotFound", f"there is no revision {revision}")
        return sha, self.commits[sha]


class LoopbackHub:
    """Context manager around the server; its repositories can be read and written directly.

    Example::

        with LoopbackHub() as hub:
            hub.add_folder("space", "org/b_cubed", "metrics/b_cubed")
            subprocess.run(command, env=hub.environment(fresh_folder))
    """

    def __init__(self):
        self.repos: dict[tuple[str, str], Repo] = {}
        self.requests: list[
            str
        ] = []  # "METHOD /path" of every request, in the order of their arrival
        self.cut = ""  # answers to paths with this in it break off half-way
        self.large_files: Files = {}  # by the SHA-256 that LFS names them by
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self})
        )
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> "LoopbackHub":
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.server.shutdown()
        self.server.server_close()

    def add_folder(
        self, repo_type: str, repo_id: str, folder: str | Path, private: bool = False
    ) -> Repo:
        """Creates a "model", "dataset" or "space" that holds the files of a folder. A bare name is
        allowed."""
        repo = self.repos[f"{repo_type}s", repo_id] = Repo(private)
        paths = [
            path
            for path in Path(folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        ]
        repo.commit({path.relative_to(folder).as_posix(): path.read_bytes() for path in paths})
        return repo

    def files(self, repo_type: str, repo_id: str) -> Files:
        """The files at the head of a repository: bytes by path."""
        return self.repos[f"{repo_type}s", repo_id].files

    def environment(self, home: str | Path) -> dict[str, str]:
        """Environment of a process that takes this server for the hub, with its cache under `home`.

        The libraries read it when they are imported, so it can't be set inside a running test.
        """
        return {
            **os.environ,
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_TOKEN": TOKEN,
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",  # a request of `evaluate` to another host
            "NO_PROXY": "127.0.0.1",
        }


class _Handler(BaseHTTPRequestHandler):
    hub: LoopbackHub
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._answer()

    do_HEAD = do_POST = do_PUT = do_GET

    def log_message(self, *_):
        pass

    def _answer(self):
        url = urlsplit(self.path)
        path, self.query = unquote(url.path), dict(parse_qsl(url.query))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.hub.lock:
            self.hub.requests.append(f"{self.command} {path}")
            try:
                self._route(path, body)
            except HubError as error:
                headers = {"X-Error-Code": error.code, "X-Error-Message": str(error)}
                self._send(error.status, json.dumps({"error": str(error)}).encode(), headers)

    def _route(self, path: str, body: bytes) -> None:
        # The one question that is asked by POST.
        if self.command == "POST" and "/paths-info/" not in path:
            self._check_token()
        if path == "/api/whoami-v2":
            self._check_token()
            self._send_json(
                {
                    "type": "user",
                    "name": USER,
                    "orgs": [],
                    "auth": {"accessToken": {"role": "write"}},
                }
            )
        elif path == "/api/repos/create":
            self._create(json.loads(body))
        elif path == "/api/validate-yaml":
            self._send_json({"errors": [], "warnings": []})
        elif path.endswith(".git/info/lfs/objects/batch"):
            objects = [self._upload(wanted) for wanted in json.loads(body)["objects"]]
            self._send_json({"transfer": "basic", "objects": objects})
        elif self.command == "PUT":
            self.hub.large_files[path.removeprefix("/lfs/")] = body
            self._send(200, b"", {})
        elif match := FILE_URL.fullmatch(path):
            repo_type, repo_id, revision, name = match.groups()
            self._send_file(*self._repo(repo_type or "models", repo_id).at(revision), name)
        elif match := API_URL.fullmatch(path):
            repo_type, repo_id, verb, revision, name = match.groups()
            self._send_json(
                self._repository(repo_type, repo_id, verb, revision or "main", name or "", body)
            )
        else:
            raise HubError(404, "", f"this hub has no {path}")

    def _check_token(self) -> None:
        authorization = self.headers.get("Authorization")
        if authorization is None:
            raise HubError(401, "", "a token is needed")
        if authorization != f"Bearer {TOKEN}":
            raise HubError(403, "", "this token may not write here")

    def _repo(self, repo_type: str, repo_id: str) -> Repo:
        repo = self.hub.repos.get((repo_type, repo_id))
        hidden = (
            repo is not None
            and repo.private
            and self.headers.get("Authorization") != f"Bearer {TOKEN}"
        )
        if repo is None or hidden:
            raise HubError(
                401 if hidden else 404, "RepoNotFound", f"there is no {repo_type[:-1]} {repo_id}"
            )
        return repo

    def _create(self, request: dict) -> None:
        repo_type = request.get("type") or "model"
        repo_id = f"{request.get('organization') or USER}/{request['name']}"
        prefix = "" if repo_type == "model" else f"{repo_type}s/"
        answer = {"url": f"{self.hub.url}/{prefix}{repo_id}", "name": repo_id}
        created = (f"{repo_type}s", repo_id) not in self.hub.repos
        if created:
            self.hub.repos[f"{repo_type}s", repo_id] = Repo(request.get("visibility") == "private")
        self._send_json(answer, status=200 if created else 409)

    def _upload(self, wanted: dict) -> dict:
        href = f"{self.hub.url}/lfs/{wanted['oid']}"
        return {"oid": wanted["oid"], "size": wanted["size"], "actions": {"upload": {"href": href}}}

    def _repository(
        self, repo_type: str, repo_id: str, verb: str | None, revision: str, name: str, body: bytes
    ):
        """The JSON answer about one repository, at one revision."""
        repo = self._repo(repo_type, repo_id)
        sha, files = repo.at(revision)
        if verb == "refs":
            main = {"name": "main", "ref": "refs/heads/main", "targetCommit": sha}
            return {"branches": [main], "tags": [], "converts": []}
        if verb == "tree":
            return _tree(
                files, name, recursive=self.query.get("recursive", "").lower() in ("true", "1")
            )
        if verb == "paths-info":
            entries = _entries(files)
            return [entries[path] for path in parse_qs(body.decode())["paths"] if path in entries]
        if verb == "preupload":
            paths = [file["path"] for file in json.loads(body)["files"]]
            modes = {path: "lfs" if path.endswith(LARGE) else "regular" for path in paths}
            return {
                "files": [
                    {"path": path, "uploadMode": modes[path], "shouldIgnore": False}
                    for path in paths
                ]
            }
        if verb == "commit":
            operations = [json.loads(line) for line in body.splitlines()]
            sha = repo.commit(_changed(files, operations, self.hub.large_files))
            return {
                "success": True,
                "commitOid": sha,
                "commitUrl": f"{self.hub.url}/{repo_id}/commit/{sha}",
            }
        siblings = [
            {"rfilename": path, "size": len(content), "blobId": _oid(content)}
            for path, content in files.items()
        ]
        return {
            "id": repo_id,
            "sha": sha,
            "private": repo.private,
            "tags": [],
            "siblings": siblings,
        }

    def _send_file(self, sha: str, files: Files, name: str) -> None:
        if name not in files:
            raise HubError(404, "EntryNotFound", f"there is no file {name}")
        content = files[name]
        headers = {"X-Repo-Commit": sha, "ETag": f'"{_oid(content)}"', "Accept-Ranges": "bytes"}
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, stop = int(wanted[1]), min(int(wanted[2] or len(content)) + 1, len(content))
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
            self._send(206, content[start:stop], headers)
        else:
            self._send(200, content, headers)

    def _send_json(self, answer, status: int = 200) -> None:
        self._send(status, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.hub.cut and self.hub.cut in self.path:
            content, self.close_connection = content[: len(content) // 2], True
        self.wfile.write(content)


def _oid(content: bytes) -> str:
    return hashlib.sha1(
        b"blob %d\0" % len(content) + content
    ).hexdigest()  # as git names a file's content


def _entries(files: Files) -> dict[str, dict]:
    """Descriptions of all files, and of all folders that hold them, by path."""
    folders = {parent.as_posix() for path in files for parent in Path(path).parents} - {"."}
    entries = {
        path: {"type": "directory", "path": path, "oid": _oid(path.encode()), "size": 0}
        for path in folders
    }
    for path, content in files.items():
        entries[path] = {"type": "file", "path": path, "oid": _oid(content), "size": len(content)}
    return entries


def _tree(files: Files, folder: str, recursive: bool) -> list[dict]:
    prefix = f"{folder}/" if folder else ""
    inside = [entry for path, entry in sorted(_entries(files).items()) if path.startswith(prefix)]
    if folder and not inside:
        raise HubError(404, "EntryNotFound", f"there is no folder {folder}")
    return [entry for entry in inside if recursive or "/" not in entry["path"][len(prefix) :]]


def _changed(files: Files, operations: list[dict], large_files: Files) -> Files:
    """The files after the operations of a commit request."""
    files = dict(files)
    for key, value in ((operation["key"], operation["value"]) for operation in operations):
        if key == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif key == "lfsFile":
            files[value["path"]] = large_files[value["oid"]]
        elif key == "deletedFile":
            del files[value["path"]]
        elif key == "deletedFolder":
            files = {
                path: content
                for path, content in files.items()
                if not path.startswith(value["path"])
            }
        elif key != "header":
            raise HubError(400, "", f"this hub can't {key}")
    return files
