"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const SUM = data.logarithm ? "weight in the heads\u2019 shares" : "weight in the score";
  const KINDS = { weight: SUM, attention: "attention", null: "attention under \u201cN/A\u201d" };
  const MINUS = "\u2212";
  const columns = data.columns.length;
  // What is chosen: the model's state, the kind of numbers, the heads, the order.
  const chosen = {
    state: data.states.length - 1,
    kind: "weight",
    on: data.columns.map(() => true),
    order: "prompt",
    numbers: false,
  };
  let current = 0;

  const at = (id) => document.getElementById(id);

  function make(tag, attributes, ...inner) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value !== null && value !== undefined) node.setAttribute(name, value);
    }
    node.append(...inner);
    return node;
  }

  function number(value) {
    if (value === 0) return "0";
    const size = Math.abs(value);
    let text;
    if (size >= 1e-5 && size < 1e5) {
      // Four digits, and zeros only before the point or between digits.
      text = size.toFixed(Math.max(3 - Math.floor(Math.log10(size)), 0)).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
    } else {
      const [digits, power] = size.toExponential(3).split("e");
      text = `${Number(digits)}e${power.replace("+", "").replace("-", MINUS)}`;
    }
    return (value < 0 ? MINUS : "") + text;
  }

  function percent(part) {
    const value = 100 * part;
    if (value !== 0 && Math.abs(value) < 0.5) return "under 1\u202f%";
    return `${Math.round(value)}\u202f%`.replace("-", MINUS);
  }

  function shortened(text) {
    const letters = [...text];
    return letters.length > 40 ? `${letters.slice(0, 40).join("")}\u2026` : text;
  }

  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const ofChosen = (values) => sum(values.filter((_, c) => chosen.on[c]));
  const state = () => data.states[chosen.state];
  const all = () => chosen.on.every(Boolean);

  function byColumn(p, w, kind) {
    const scale = state().scales[kind];
    const values = state().passages[p][kind];
    return data.columns.map((_, c) => values[w * columns + c] * scale);
  }

  // Each word's sum over the chosen heads.
  function wordSums(p) {
    const scale = state().scales[chosen.kind];
    const values = state().passages[p][chosen.kind];
    return data.passages[p].words.map((_, w) => {
      let total = 0;
      for (let c = 0; c < columns; c += 1) if (chosen.on[c]) total += values[w * columns + c];
      return total * scale;
    });
  }

  // ---- What is drawn once -------------------------------------------------------------------------------------------

  const cards = data.passages.map((passage, p) => {
    const words = passage.words.map(([, text, part]) => {
      const node = make("span", { class: part === "text" ? "word" : "word extra", tabindex: "-1" });
      node.textContent = text;
      return node;
    });
    const text = make("p", { class: "text", dir: "auto" });
    passage.words.forEach(([before], w) => text.append(before, words[w]));
    const parts = {
      words,
      text,
      facts: make("p", { class: "facts" }),
      most: make("p", { class: "most" }),
      table: make("table"),
      summary: make("summary", { tabindex: "-1" }, "Sums by head"),
    };
    const title = make("h2", { id: `p${p}` }, `${p + 1}. `, make("bdi", {}, passage.id));
    const node = make("li", { class: "passage", tabindex: "-1", "aria-labelledby": `p${p}` });
    node.append(make("div", { class: "head" }, title, parts.facts), text);
    if (passage.unread) {
      const more = passage.more ? ` \u2026 and ${passage.more} more characters` : "";
      node.append(make("p", { class: "unread", dir: "auto" }, make("b", {}, "Not read: "), passage.unread, more));
    }
    node.append(parts.most, make("details", {}, parts.summary, make("div", { class: "table" }, parts.table)));
    node.dataset.p = p;
    words.forEach((word, w) => {
      word.dataset.w = w;
    });
    return { node, ...parts };
  });

  function radios(name, title, options, pick) {
    const box = make("fieldset", {}, make("legend", {}, title));
    const inner = make("div");
    options.forEach(([value, text], i) => {
      const input = make("input", { type: "radio", name, value });
      input.checked = String(chosen[name]) === String(value);
      input.addEventListener("change", () => pick(value));
      inner.append(make("label", {}, input, text));
    });
    box.append(inner);
    at("choices").append(box);
  }

  function drawControls() {
    if (data.states.length > 1) {
      radios("state", "Model", data.states.map((s, i) => [i, s.name]), (value) => {
        chosen.state = Number(value);
        update();
      });
    }
    radios("kind", "Shading", data.kinds.map((kind) => [kind, KINDS[kind]]), (value) => {
      chosen.kind = value;
      update();
    });
    radios("order", "Order", [["prompt", "as in the prompt"], ["rank", "by rank"]], (value) => {
      chosen.order = value;
      update();
    });
    const box = make("input", { type: "checkbox", id: "numbers" });
    box.addEventListener("change", () => {
      chosen.numbers = box.checked;
      update();
    });
    at("choices").append(
      make("fieldset", {}, make("legend", {}, "Numbers"), make("div", {}, make("label", {}, box, "at the words"))),
    );
    data.columns.forEach((column, c) => {
      const input = make("input", { type: "checkbox", name: "head", value: column.name });
      input.checked = true;
      input.addEventListener("change", () => {
        chosen.on[c] = input.checked;
        update();
      });
      const many = column.heads > 1 ? ` (${column.heads} heads)` : "";
      at("heads").append(make("label", {}, input, `${column.name}${many} `, make("span", { class: "reach" })));
    });
    const set = (on) => () => {
      chosen.on.fill(on);
      at("heads").querySelectorAll("input").forEach((input) => {
        input.checked = on;
      });
      update();
    };
    const buttons = [["All", true], ["None", false]].map(([text, on]) => {
      const button = make("button", { type: "button" }, text);
      button.addEventListener("click", set(on));
      return button;
    });
    at("heads").append(make("div", {}, ...buttons));
    at("heads-title").textContent =
      "Heads, as layer-head from 0, with the share of their attention that falls on passages";
  }

  function drawAbove() {
    at("query").textContent = data.query;
    const qid = data.qid === null ? "" : `Query ${data.qid} \u00b7 `;
    at("about").textContent = `${qid}${data.method} on ${data.model}`;
    for (const line of [...data.account, ...data.notes]) at("account").append(make("li", {}, line));
  }

  // ---- What follows the choices ---------------------------------------------------------------------------------------

  function moved(from, to) {
    if (from === to) return "=";
    return from > to ? `\u25b2\u202f${from - to}` : `\u25bc\u202f${to - from}`;
  }

  function grade(passage) {
    if (!data.judged) return "";
    if (passage.grade === null) return "not judged";
    return `grade ${passage.grade} of ${data.highest}`.replace("-", MINUS);
  }

  function drawFacts(p) {
    const passage = data.passages[p];
    const now = state().passages[p];
    const last = data.states[data.states.length - 1].passages[p];
    const bits = [];
    const add = (...inner) => bits.push(make("span", {}, ...inner));
    if (data.judged) add(make("b", {}, grade(passage)));
    if (data.states.length > 1) {
      const before = data.states[0].passages[p];
      add(`first stage ${passage.first}, `, `before training ${before.rank}, `);
      bits[bits.length - 1].append("after ", make("b", {}, `${last.rank}`), ` ${moved(before.rank, last.rank)}`);
      add("score ", `${number(before.score)} before, `, make("b", {}, number(last.score)), " after");
    } else {
      add(`first stage ${passage.first}, rank `, make("b", {}, `${now.rank}`), ` ${moved(passage.first, now.rank)}`);
      add("score ", make("b", {}, number(now.score)));
    }
    if (!all()) add("these heads: ", make("b", { class: "chosen" }, number(ofChosen(now.additions))));
    cards[p].facts.replaceChildren(...bits.flatMap((bit, i) => (i ? [" \u00b7 ", bit] : [bit])));
  }

  function drawTable(p) {
    const now = state().passages[p];
    const titles = ["head", "words", "no word", "sum", ...(data.logarithm ? ["logarithm"] : [])];
    const cells = (values) => values.map((value) => make("td", {}, number(value)));
    const row = (c) => [
      now.values[c] - now.rest[c], now.rest[c], now.values[c], ...(data.logarithm ? [now.additions[c]] : []),
    ];
    const body = make("tbody");
    data.columns.forEach((column, c) => {
      const line = make("tr", chosen.on[c] ? {} : { class: "off" });
      line.append(make("th", { scope: "row" }, column.name), ...cells(row(c)));
      body.append(line);
    });
    const on = data.columns.map((_, c) => c).filter((c) => chosen.on[c]);
    const totals = titles.slice(1).map((_, i) => sum(on.map((c) => row(c)[i])));
    const foot = make("tr", {}, make("th", { scope: "row" }, all() ? "all" : "these"), ...cells(totals));
    cards[p].table.replaceChildren(
      make("thead", {}, make("tr", {}, ...titles.map((title) => make("th", { scope: "col" }, title)))),
      body,
      make("tfoot", {}, foot),
    );
  }

  function drawWords(p, sums, most, unit) {
    const out = new Set(state().passages[p].out);
    cards[p].words.forEach((word, w) => {
      const value = sums[w];
      const shade = most ? Math.sqrt(Math.abs(value) / most) : 0;
      word.style.setProperty("--w", shade.toFixed(3));
      word.classList.toggle("less", value < 0);
      word.classList.toggle("lit", shade > 0.2);
      word.classList.toggle("out", out.has(w) && chosen.kind === "weight");
      const shown = Math.round(value / unit);
      if (chosen.numbers && shown) word.dataset.n = String(shown).replace("-", MINUS);
      else delete word.dataset.n;
    });
    const total = sum(sums);
    const best = sums.map((value, w) => [value, w]).filter(([value]) => value > 0);
    best.sort((a, b) => b[0] - a[0]);
    const told = best.slice(0, 5).map(([value, w]) => {
      const share = total > 0 ? percent(value / total) : number(value);
      const text = shortened(data.passages[p].words[w][1]);
      // A full stop would be lost among the commas.
      const quoted = /[\p{L}\p{N}]/u.test(text) ? text : `\u201c${text}\u201d`;
      return [make("bdi", {}, quoted), `\u00a0${share}`];
    });
    const what = chosen.kind === "weight" ? "Most weight" : "Most attention";
    const parts = told.flatMap((pair, i) => (i ? [", ", ...pair] : pair));
    cards[p].most.replaceChildren(...(told.length ? [`${what}: `, ...parts] : []));
  }

  function update() {
    const sums = data.passages.map((_, p) => wordSums(p));
    const sizes = sums.flat().map(Math.abs);
    const most = sizes.reduce((a, b) => Math.max(a, b), 0);
    const unit = most ? 10 ** (Math.floor(Math.log10(most)) - 1) : 1;
    const negative = sums.some((values) => values.some((value) => value < 0));
    cards.forEach((_, p) => {
      drawFacts(p);
      drawWords(p, sums[p], most, unit);
      drawTable(p);
    });
    document.body.classList.toggle("numbers", chosen.numbers);
    at("ramp").classList.toggle("both", negative);
    const range = negative ? `${number(-most)} (underlined: below 0) to ${number(most)}` : `0 to ${number(most)}`;
    const each = chosen.numbers ? ` The numbers count steps of ${number(unit)}.` : "";
    at("legend").textContent = most
      ? `${KINDS[chosen.kind]}, ${range}; the colour grows with the square root, alike for all passages.${each}`
      : "no head is chosen";
    at("heads").querySelectorAll(".reach").forEach((node, c) => {
      node.textContent = percent(state().reach[c]);
    });
    const names = data.columns.filter((_, c) => chosen.on[c]).map((column) => column.name);
    const model = state().name ? `${state().name}, ` : "";
    at("printed").textContent =
      `Shown: ${model}${KINDS[chosen.kind]}, ${range}; heads ${all() ? "all" : names.join(", ")}.`;
    const order = data.passages.map((_, p) => p);
    if (chosen.order === "rank") order.sort((a, b) => state().passages[a].rank - state().passages[b].rank);
    const list = at("passages");
    // Moving a node takes the focus away, so that it is done only where the order changes.
    if (order.some((p, i) => list.children[i] !== cards[p].node)) {
      list.replaceChildren(...order.map((p) => cards[p].node));
    }
    setCurrent(current);
  }

  // ---- A word's numbers -------------------------------------------------------------------------------------------------

  function describe(p, w) {
    const [, text, part] = data.passages[p].words[w];
    const weights = byColumn(p, w, "weight");
    const total = sum(state().passages[p].values.filter((_, c) => chosen.on[c]));
    const weight = ofChosen(weights);
    const role = { text: "", label: " (label)", next: " (after the text)" }[part];
    const name = `\u201c${shortened(text)}\u201d${role}`;
    const said = [`weight ${number(weight)}${total > 0 ? `, ${percent(weight / total)} of the passage's sum` : ""}`];
    for (const kind of data.kinds) {
      if (kind !== "weight") said.push(`${KINDS[kind]} ${number(ofChosen(byColumn(p, w, kind)))}`);
    }
    if (state().passages[p].out.includes(w)) said.push("left out as an outlier, whole or in part");
    const heads = weights.map((value, c) => [value, c]).filter(([value, c]) => chosen.on[c] && value !== 0);
    heads.sort((a, b) => Math.abs(b[0]) - Math.abs(a[0]));
    const by = heads.slice(0, 6).flatMap(([value, c], i) => [
      i ? ", " : " By head: ",
      make("span", { class: "whole" }, `${data.columns[c].name} ${number(value)}`),
    ]);
    if (by.length) by.push(heads.length > 6 ? ", \u2026" : ".");
    at("detail").replaceChildren(make("bdi", {}, name), ` \u2013 ${said.join("; ")}.`, ...by);
  }

  function placeOf(node) {
    const card = node.closest ? node.closest(".passage") : null;
    if (!card) return null;
    const word = node.closest(".word");
    return { p: Number(card.dataset.p), w: word ? Number(word.dataset.w) : null };
  }

  function setCurrent(p) {
    cards.forEach((card, i) => {
      card.node.tabIndex = i === p ? 0 : -1;
      card.summary.tabIndex = i === p ? 0 : -1;
    });
    current = p;
  }

  function go(node) {
    node.focus();
    node.scrollIntoView({ block: "nearest" });
  }

  function key(event) {
    const place = placeOf(event.target);
    const own = event.target.classList.contains("passage") || event.target.classList.contains("word");
    if (!place || !own || event.altKey || event.ctrlKey || event.metaKey) return;
    const list = [...at("passages").children];
    const row = list.indexOf(cards[place.p].node);
    const { words } = cards[place.p];
    const targets = {
      ArrowDown: list[row + 1],
      ArrowUp: list[row - 1],
      Home: place.w === null ? list[0] : words[0],
      End: place.w === null ? list[list.length - 1] : words[words.length - 1],
      ArrowRight: words[place.w === null ? 0 : place.w + 1],
      ArrowLeft: place.w === null ? undefined : words[place.w - 1] || cards[place.p].node,
      Enter: place.w === null ? words[0] : undefined,
      Escape: place.w === null ? undefined : cards[place.p].node,
    };
    if (!(event.key in targets)) return;
    event.preventDefault();
    if (targets[event.key]) go(targets[event.key]);
  }

  function listen() {
    const list = at("passages");
    list.addEventListener("keydown", key);
    list.addEventListener("focusin", (event) => {
      const place = placeOf(event.target);
      if (!place) return;
      setCurrent(place.p);
      if (place.w === null) at("detail").replaceChildren();
      else describe(place.p, place.w);
    });
    list.addEventListener("mouseover", (event) => {
      const place = placeOf(event.target);
      if (place && place.w !== null) describe(place.p, place.w);
    });
  }

  drawAbove();
  drawControls();
  listen();
  update();
})();
