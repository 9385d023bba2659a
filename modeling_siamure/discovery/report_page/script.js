"use strict";
// Whatever comes from the corpus reaches the page as text nodes only, never as HTML.
const data = JSON.parse(document.getElementById("data").textContent);
const { clusters, points, tree, trials, gold } = data;
const byId = (id) => document.getElementById(id);
const readable = (number) => number.toLocaleString("en");
const state = { cluster: null, query: "", groups: clusters.length, position: -1 };
const outside = (name, size, central, borderline) => ({ name, size, share: size / data.rows, words: [], types: [], parts: [], central, borderline });
const OUTSIDE = {
  "-1": outside("unassigned", data.unassigned, [], data.rejected),
  "-3": outside("no relation", data.no_relation, data.no_relation_texts, []),
  "-4": outside("left out as unrelated", data.unrelated, [], data.left_out),
};

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// The words of a marked sentence, with its two mentions in elements of their own.
const MARKER = /<(\/?)e([12])(?::[^<>\s]+)?>/g;
function marked(text) {
  const open = new Set(), fragment = document.createDocumentFragment();
  let done = 0;
  const add = (piece) => {
    if (!piece) return;
    const kind = ["1", "2"].filter((entity) => open.has(entity)).map((entity) => (entity === "1" ? "head" : "tail"));
    fragment.append(kind.length ? element("span", { class: kind.join(" ") }, piece) : piece);
  };
  for (const match of text.matchAll(MARKER)) {
    const closes = match[1] === "/";
    const piece = text.slice(done, match.index);
    add(closes ? piece.replace(/ $/, "") : piece);
    closes ? open.delete(match[2]) : open.add(match[2]);
    done = match.index + match[0].length + (!closes && text[match.index + match[0].length] === " " ? 1 : 0);
  }
  add(text.slice(done));
  return fragment;
}
const plain = (text) => text.replace(MARKER, "").toLowerCase();

// ---------------------------------------------------------------------------------------------------------------------
// Colors: neighboring hues are a golden angle apart; clusters of one group of the tree share the color of the first

function groupOf() {
  const members = new Map(clusters.map((_, cluster) => [cluster, [cluster]]));
  tree.slice(0, clusters.length - state.groups).forEach(([left, right], row) => {
    members.set(clusters.length + row, [...members.get(left), ...members.get(right)]);
    members.delete(left);
    members.delete(right);
  });
  const groups = [];
  for (const node of members.values()) for (const cluster of node) groups[cluster] = Math.min(...node);
  return groups;
}
let groups = groupOf();
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const color = (cluster) => cluster < 0 ? style("--grey") : `hsl(${(groups[cluster] * 137.508) % 360}, 65%, ${groups[cluster] % 2 ? 45 : 58}%)`;
const describe = (cluster) => OUTSIDE[cluster] || clusters[cluster];

// ---------------------------------------------------------------------------------------------------------------------
// Map

const hasWebGL = Boolean(document.createElement("canvas").getContext("webgl"));
const texts = points.text.map(plain);
let shown = [];

function layout(more = {}) {
  const axis = { visible: false };
  return {
    paper_bgcolor: "transparent", plot_bgcolor: "transparent", font: { color: style("--text") }, showlegend: false,
    margin: { l: 4, r: 4, t: 4, b: 4 }, xaxis: axis, yaxis: axis, hovermode: "closest", dragmode: "pan", ...more,
  };
}
const config = { displaylogo: false, responsive: true, scrollZoom: true, displayModeBar: false };

function matches(point) {
  if (state.cluster !== null && points.cluster[point] !== state.cluster) return false;
  return !state.query || texts[point].includes(state.query);
}

function drawMap() {
  const all = [...points.x.keys()];
  shown = all.filter(matches);
  const isFiltered = shown.length < all.length, chosen = new Set(shown);
  const trace = (rows, marker, hoverinfo) => ({
    type: hasWebGL ? "scattergl" : "scatter", mode: "markers", hoverinfo, marker,
    x: rows.map((row) => points.x[row]), y: rows.map((row) => points.y[row]), customdata: rows,
  });
  const size = points.x.length > 20000 ? 3 : points.x.length > 3000 ? 5 : 7;
  const others = isFiltered ? all.filter((row) => !chosen.has(row)) : [];
  Plotly.react("map", [
    trace(others, { size, color: style("--grey"), opacity: 0.25 }, "skip"),
    trace(shown, { size, color: shown.map((row) => color(points.cluster[row])), opacity: 0.8 }, "none"),
    trace([], { size: 16, color: "transparent", line: { color: style("--text"), width: 2 } }, "skip"),
  ], layout({ uirevision: "map" }), config);
  state.position = -1;
  byId("status").value = isFiltered ? `${readable(shown.length)} of ${readable(all.length)} sentences on the map` : `${readable(all.length)} sentences on the map`;
}

function showSentence(point) {
  const name = describe(points.cluster[point]).name;
  byId("sentence").replaceChildren(marked(points.text[point]), element("span", { class: "dim" }, ` (${name}, row ${points.row[point] + 1}, margin ${points.margin[point]})`));
}

function moveAlong(step) {
  if (!shown.length) return;
  state.position = (state.position + step + shown.length) % shown.length;
  const point = shown[state.position];
  Plotly.restyle("map", { x: [[points.x[point]]], y: [[points.y[point]]] }, [2]);
  showSentence(point);
}

// ---------------------------------------------------------------------------------------------------------------------
// Clusters and their examples

function drawClusters() {
  const all = clusters.map((_, cluster) => cluster);
  if (data.no_relation) all.push(-3);
  if (data.unassigned) all.push(-1);
  if (data.unrelated) all.push(-4);
  byId("clusters").replaceChildren(...all.filter((cluster) => {
    const { name, words, types, parts, note } = describe(cluster);
    const isFound = !state.query || [name, note, ...words, ...types, ...parts.flatMap((part) => part.words)].join(" ").toLowerCase().includes(state.query);
    return isFound || points.cluster.some((own, point) => own === cluster && texts[point].includes(state.query));
  }).map((cluster) => {
    const { name, size, share, words, types, whole, parts, note } = describe(cluster);
    const button = element("button", { type: "button", "data-cluster": cluster, "aria-pressed": cluster === state.cluster, style: `--color: ${color(cluster)}` },
      name, element("small", {}, `${readable(size)} sentences, ${(100 * share).toFixed(1)} %`),
      ...(words.length ? [element("small", {}, words.join(", "))] : []),
      ...(types.length ? [element("small", {}, types.slice(0, 3).join(", ") + (whole ? " (the whole type pair)" : ""))] : []),
      ...(parts.length ? [element("small", {}, `${parts.length} parts: ${parts.map((part) => part.words[0] || "…").join(" | ")}`)] : []),
      ...(note ? [element("small", { class: "note" }, note)] : []));
    button.addEventListener("click", () => choose(cluster));
    return element("li", {}, button);
  }));
  document.dispatchEvent(new Event("clustersdrawn"));
}

function drawExamples() {
  const list = (title, sentences) => sentences.length ? [element("h3", {}, title), element("ul", {}, ...sentences.map((text) => element("li", {}, marked(text))))] : [];
  const parts = [];
  if (state.cluster !== null) {
    const { name, central, borderline, parts: finer } = describe(state.cluster);
    parts.push(element("h3", {}, name), ...list("Most central", central), ...list("Borderline", borderline));
    finer.forEach(({ size, words, central: nearest }, part) => parts.push(...list(`Part ${part + 1} of ${finer.length}, ${readable(size)} sentences: ${words.join(", ") || "…"}`, nearest)));
  }
  if (state.query) parts.push(...list("Found", shown.slice(0, 30).map((point) => points.text[point])));
  byId("examples").replaceChildren(...parts);
}

function choose(cluster) {
  state.cluster = state.cluster === cluster ? null : cluster;
  drawMap();
  drawExamples();
  for (const button of document.querySelectorAll("[data-cluster]")) button.setAttribute("aria-pressed", Number(button.dataset.cluster) === state.cluster);
}

// ---------------------------------------------------------------------------------------------------------------------
// Tree

function drawTree() {
  const svgElement = (tag, attributes, ...children) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const count = clusters.length, line = 20, width = 620, labels = 330;
  const top = tree.length ? tree[tree.length - 1][2] || 1 : 1;
  const nodes = new Map(), order = [];
  const visit = (node) => {
    if (node < count) order.push(node);
    else tree[node - count].slice(0, 2).forEach(visit);
  };
  visit(count + tree.length - 1);
  order.forEach((cluster, place) => nodes.set(cluster, { x: width - labels, y: place * line + line / 2 }));
  const svg = svgElement("svg", { viewBox: `0 0 ${width} ${count * line}`, role: "group", "aria-label": "Tree of the clusters" });
  tree.forEach(([left, right, distance], row) => {
    const [one, other] = [nodes.get(left), nodes.get(right)];
    const x = (width - labels) * (1 - 0.97 * distance / top);
    nodes.set(count + row, { x, y: (one.y + other.y) / 2 });
    svg.append(svgElement("path", { d: `M${one.x},${one.y}H${x}V${other.y}H${other.x}` }));
  });
  for (const cluster of order) {
    const { x, y } = nodes.get(cluster);
    const leaf = svgElement("g", { tabindex: 0, role: "button", "data-cluster": cluster, "aria-pressed": cluster === state.cluster, "aria-label": clusters[cluster].name },
      svgElement("circle", { cx: x + 6, cy: y, r: 5, fill: color(cluster) }), svgElement("text", { x: x + 15, y: y + 4 }, clusters[cluster].name));
    leaf.addEventListener("click", () => choose(cluster));
    leaf.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        choose(cluster);
      }
    });
    svg.append(leaf);
  }
  byId("tree").replaceChildren(svg);
  byId("groups").value = state.groups;
}

// ---------------------------------------------------------------------------------------------------------------------
// Evidence and gold

function table(id, head, rows, isChosen = () => false) {
  byId(id).replaceChildren(
    element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name))),
    ...rows.map((row) => element("tr", isChosen(row) ? { class: "chosen" } : {}, ...row.map((cell) => element("td", {}, String(cell))))));
}

function drawEvidence() {
  byId("rule").textContent = data.rule;
  byId("evidence").hidden = !trials.length;
  if (!trials.length) return;
  const x = trials.map((trial) => trial.num_clusters);
  const line = (name, key, dash) => ({ name, x, y: trials.map((trial) => trial[key]), mode: "lines+markers", line: { dash } });
  const grid = { gridcolor: style("--line"), zeroline: false };
  const [from, to] = data.plateau;
  Plotly.react("evidence", [line("silhouette", "silhouette", "solid"), line("decided by types", "repeats_types", "dot")], layout({
    margin: { l: 45, r: 10, t: 70, b: 40 }, showlegend: true, legend: { orientation: "h", y: 1.02, yanchor: "bottom" }, hovermode: "x",
    xaxis: { ...grid, type: "log", title: { text: "clusters" }, tickvals: x, ticktext: x }, yaxis: grid,
    shapes: [
      { type: "rect", x0: from, x1: to, yref: "paper", y0: 0, y1: 1, line: { width: 0 }, fillcolor: style("--accent"), opacity: 0.15 },
      { type: "line", x0: data.chosen, x1: data.chosen, yref: "paper", y0: 0, y1: 1, line: { color: style("--accent") } },
    ],
  }), config);
  const number = (value) => value.toFixed(2);
  table("trials", ["candidate", "silhouette", "decided by types"],
    trials.filter((trial) => trial.is_candidate).map((trial) => [trial.num_clusters, ...["silhouette", "repeats_types"].map((key) => number(trial[key]))]),
    (row) => row[0] === data.chosen);
}

function drawGold() {
  byId("gold-section").hidden = !gold;
  if (!gold) return;
  const scores = Object.entries(gold.scores);
  if (scores.length) table("scores", ["rows", ...scores.map(([name]) => name)], gold.clusterings.map((clustering, row) => [clustering, ...scores.map(([, values]) => (100 * values[row]).toFixed(1))]));
  const share = gold.counts.map((row) => row.map((count) => count / (row.reduce((sum, value) => sum + value, 0) || 1)));
  const escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");  // Plotly reads tags
  const names = clusters.map((cluster) => escape(cluster.name)), relations = gold.relations.map(escape);
  byId("gold").style.height = `${160 + 18 * clusters.length}px`;
  Plotly.react("gold", [{ type: "heatmap", x: relations, y: names, z: share, text: gold.counts, colorscale: [[0, style("--panel")], [1, style("--accent")]], showscale: false, hovertemplate: "%{y}<br>%{x}: %{text}<extra></extra>" }], layout({
    margin: { l: 10, r: 10, t: 10, b: 10 },
    xaxis: { automargin: true, tickangle: -60, type: "category" }, yaxis: { automargin: true, autorange: "reversed", type: "category" },
  }), config);
}

// ---------------------------------------------------------------------------------------------------------------------

function drawAll() {
  groups = groupOf();
  drawMap();
  drawClusters();
  drawTree();
  drawEvidence();
  drawGold();
}

byId("cut").max = clusters.length;
byId("cut").value = state.groups;
byId("tree-section").hidden = clusters.length < 2;
drawAll();

byId("search").addEventListener("input", (event) => {
  state.query = event.target.value.trim().toLowerCase();
  drawMap();
  drawClusters();
  drawExamples();
});
byId("reset").addEventListener("click", () => {
  Object.assign(state, { cluster: null, query: "" });
  byId("search").value = "";
  drawAll();
  drawExamples();
});
byId("cut").addEventListener("input", (event) => {
  state.groups = Number(event.target.value);
  groups = groupOf();
  drawMap();
  drawClusters();
  drawTree();
});
const map = byId("map"), tip = byId("tip");
map.on("plotly_hover", ({ points: [{ customdata: point }], event }) => {
  tip.replaceChildren(marked(points.text[point]), element("br"), element("span", { class: "dim" }, describe(points.cluster[point]).name));
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - box.width - 4))}px`;
  tip.style.top = `${Math.max(4, event.clientY + 14 + box.height > innerHeight ? event.clientY - box.height - 10 : event.clientY + 14)}px`;
  showSentence(point);
});
map.on("plotly_unhover", () => { tip.hidden = true; });
map.on("plotly_click", ({ points: [{ customdata: point }] }) => {
  if (points.cluster[point] !== state.cluster) choose(points.cluster[point]);
});
map.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (step) {
    event.preventDefault();
    moveAlong(step);
  }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
