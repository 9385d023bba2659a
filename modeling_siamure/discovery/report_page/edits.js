"use strict";
// Edits of the clusters. The page shows what they will do; `siamure edit` does it. A cluster goes by its id.
const applied = data.edits.length;
const editing = { edits: [...data.edits], chosen: new Set(), isSaved: true };
const quoted = (text) => JSON.stringify(text);  // JSON's strings are YAML's too

function asYaml(edit) {
  const [[kind, value]] = Object.entries(edit);
  if (Array.isArray(value)) return `- ${kind}: [${value.map(quoted).join(", ")}]`;
  return `- ${kind}: {${Object.entries(value).map(([key, part]) => `${key}: ${quoted(part)}`).join(", ")}}`;
}

// The clusters as the edits of this page leave them: id to name, parts and what is said of it.
function preview() {
  const made = new Map(clusters.map(({ id, name }) => [id, { name, parts: [], says: [], isGone: false }]));
  for (const edit of editing.edits.slice(applied)) {
    const [[kind, value]] = Object.entries(edit);
    const ids = Array.isArray(value) ? value : [value.cluster];
    const [first, ...others] = ids.map((id) => made.get(id));
    if (kind === "merge") {
      first.says.push(`joined by ${ids.slice(1).map((id) => made.get(id).name).join(", ")}`);
      for (const other of others) Object.assign(other, { isGone: true, says: [...other.says, `merged into ${first.name}`] });
    } else if (kind === "split") {
      first.isGone = true;
      first.says.push(`split into ${value.into}`);
      for (let number = 1; number <= value.into; number++) {
        const part = `${value.cluster}.${number}`;
        first.parts.push(part);
        made.set(part, { name: `part ${number} of ${first.name}`, parts: [], says: [], isGone: false });
      }
    } else if (kind === "rename") {
      first.name = value.name;
      first.says.push(`called ${value.name}`);
    } else if (kind === "note") {
      first.says.push(`note: ${value.text}`);
    } else if (kind === "direction") {
      for (const cluster of [first, ...others]) cluster.says.push("head and tail swapped");
    } else {
      for (const cluster of [first, ...others]) Object.assign(cluster, { isGone: true, says: [...cluster.says, "no relation"] });
    }
  }
  return made;
}

function choice(id, { name, isGone }) {
  const box = element("input", { type: "checkbox", "data-id": id, "aria-label": `Select ${name}` });
  box.checked = editing.chosen.has(id);
  box.disabled = isGone;
  box.addEventListener("change", () => {
    box.checked ? editing.chosen.add(id) : editing.chosen.delete(id);
    drawEdits();
  });
  return element("label", { class: "choice" }, box, element("small", {}, id));
}

function decorateClusters() {
  if (!byId("editing").open) return;
  const made = preview();
  const says = (cluster) => cluster.says.map((text) => element("small", { class: "pending" }, text));
  const parts = (id) => made.get(id).parts.flatMap((part) => {
    const item = element("li", { class: "part" }, choice(part, made.get(part)), element("span", {}, made.get(part).name, ...says(made.get(part))));
    return [item, ...parts(part)];
  });
  for (const item of [...byId("clusters").children]) {
    const button = item.querySelector("button");
    const number = Number(button.dataset.cluster);
    if (number < 0) continue;
    const { id } = clusters[number];
    item.classList.toggle("gone", made.get(id).isGone);
    button.append(...says(made.get(id)));
    item.prepend(choice(id, made.get(id)));
    item.after(...parts(id));
  }
}

function drawEdits() {
  const made = preview(), { chosen, edits } = editing, one = chosen.size === 1;
  const names = [...chosen].map((id) => made.get(id).name);
  byId("selected").textContent = names.length ? `Selected: ${names.join(", ")}` : "Select clusters in the list below.";
  byId("edit-merge").disabled = chosen.size < 2;
  byId("edit-reject").disabled = byId("edit-direction").disabled = !chosen.size;
  for (const form of ["edit-rename", "edit-split", "edit-note"]) byId(form).querySelector("button").disabled = !one;
  byId("edit-undo").disabled = edits.length === applied;
  byId("edit-download").disabled = !edits.length;
  byId("edits").replaceChildren(...edits.map((edit, number) => element("li", number < applied ? { class: "applied" } : {}, asYaml(edit).slice(2))));
}

function redraw() {
  drawClusters();
  drawEdits();
}

function add(edit) {
  editing.edits.push(edit);
  editing.chosen.clear();
  editing.isSaved = false;
  redraw();
}

function say(text) {
  byId("selected").textContent = text;
}

function onForm(id, action) {
  byId(id).addEventListener("submit", (event) => {
    event.preventDefault();
    const [cluster] = editing.chosen;
    if (editing.chosen.size === 1) action(cluster);
  });
}

// In the order of the list, so that the larger one keeps its id.
const chosenInOrder = () => [...preview().keys()].filter((id) => editing.chosen.has(id));
byId("edit-merge").addEventListener("click", () => add({ merge: chosenInOrder() }));
byId("edit-direction").addEventListener("click", () => add({ direction: chosenInOrder() }));
byId("edit-reject").addEventListener("click", () => {
  const left = [...preview().values()].filter(({ isGone }) => !isGone).length;
  if (left === editing.chosen.size) say("No cluster would be left: keep one.");
  else add({ reject: chosenInOrder() });
});
onForm("edit-rename", (cluster) => {
  const name = byId("edit-name").value.trim().replace(/\s+/g, " ");
  const owner = [...preview()].find(([id, other]) => id !== cluster && !other.isGone && other.name === name);
  if (!name || ["unassigned", "skipped", "no relation"].includes(name)) say("Give another name.");
  else if (owner) say(`Another cluster is called ${name}: merge the two, or give another name.`);
  else {
    byId("edit-name").value = "";
    add({ rename: { cluster, name } });
  }
});
onForm("edit-split", (cluster) => {
  const into = Number(byId("edit-parts").value);
  if (Number.isInteger(into) && into > 1 && into < 100) add({ split: { cluster, into } });
  else say("Give a number of parts, 2 or more.");
});
onForm("edit-note", (cluster) => {
  const text = byId("edit-text").value.trim();
  if (!text) return say("Write a note.");
  byId("edit-text").value = "";
  add({ note: { cluster, text } });
});
byId("edit-undo").addEventListener("click", () => {
  if (editing.edits.length > applied) editing.edits.pop();
  editing.chosen.clear();
  editing.isSaved = editing.edits.length === applied;
  redraw();
});
byId("edit-download").addEventListener("click", () => {
  const text = editing.edits.map((edit) => `${asYaml(edit)}\n`).join("");
  const link = element("a", { href: URL.createObjectURL(new Blob([text], { type: "text/yaml" })), download: "edits.yaml" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  editing.isSaved = true;
});

function command() {
  const isFile = location.protocol === "file:";
  const path = isFile ? decodeURIComponent(location.pathname).replace(/^\/(?=[A-Za-z]:)/, "").replace(/\/[^/]*$/, "") : "OUT";
  const folder = /^[\w.:/-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
  return `siamure edit ${folder || "/"} edits.yaml`;
}
byId("edit-command").textContent = command();
byId("edit-copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(command());
    say("The command is copied.");
  } catch {
    getSelection().selectAllChildren(byId("edit-command"));  // where the browser does not let a page copy
    say("Copy the command that is selected below.");
  }
});
byId("editing").addEventListener("toggle", redraw);
document.addEventListener("clustersdrawn", decorateClusters);
addEventListener("beforeunload", (event) => {
  if (!editing.isSaved) event.preventDefault();
});
drawEdits();
