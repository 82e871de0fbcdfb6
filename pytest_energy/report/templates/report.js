"use strict";
// Rule 1: text goes into the page as text nodes and attributes' values alone; no markup is ever parsed.
// Rule 2: every number to be read comes as a text; numbers here only place and order things.
(() => {
  const run = JSON.parse(document.getElementById("run").textContent);
  const PAGE = 25, UNPAGED = 40, PRINTED = 500;
  const root = document.documentElement;
  const find = (id) => document.getElementById(id);

  // ---- elements ----

  const fill = (element, attributes, children) => {
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  };
  const make = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
  const shape = (tag, attributes = {}, ...children) =>
    fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

  // ---- theme ----

  const THEMES = ["system", "light", "dark"];
  let theme = 0;
  find("theme").addEventListener("click", (event) => {
    theme = (theme + 1) % THEMES.length;
    if (theme) root.dataset.theme = THEMES[theme];
    else delete root.dataset.theme;
    event.currentTarget.textContent = `Theme: ${THEMES[theme]}`;
  });

  // ---- charts of one test ----

  // `html/svg.py` has made the shapes; what charts have in common stands in `run.shared`.
  const shapeOf = ([place, ...rest]) => {
    const [look, other] = run.shared[place];
    if (rest.length === 1) {
      const d = other ? rest[0].split(",").map((spot) => `M${spot}${other}`).join("") : rest[0];
      return shape("path", { class: look, d });
    }
    return shape("text", { class: look, x: rest[0], y: rest[1], "text-anchor": other }, rest[2]);
  };
  const keyOf = ([sample, text]) =>
    make("li", {}, shape("svg", { viewBox: "0 0 24 16", width: 24, height: 16, "aria-hidden": "true" }, shapeOf(sample)), text);
  const chart = ([head, parts, keys]) => {
    const [title, caption, height] = run.shared[head];
    return make("figure", {},
      make("figcaption", {}, make("strong", {}, title), ...caption.map((line) => make("span", {}, line))),
      shape("svg", { viewBox: `0 0 360 ${height}`, role: "img", "aria-label": [title, ...caption].join(". ") },
        ...parts.flatMap((place) => run.shared[place].map(shapeOf))),
      keys.length ? make("ul", { class: "keys" }, ...keys.map((place) => keyOf(run.shared[place]))) : null);
  };

  // ---- one test ----

  const tableOf = (caption, heads, rows, kind = "plain") => make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    make("table", { class: kind },
      make("caption", {}, caption),
      heads.length ? make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))) : null,
      make("tbody", {}, ...rows.map(([first, ...others]) =>
        make("tr", {}, make("th", { scope: "row" }, first), ...others.map((text) => make("td", {}, text)))))));
  const listOf = (texts) => make("ul", { class: "notes" }, ...texts.map((text) => make("li", {}, text)));
  const folded = (title, ...content) => make("details", { class: "fold" }, make("summary", {}, title), ...content);

  const briefOf = (test) => {
    // The row above has the first line of a test that fails.
    const lines = failing.has(test.verdict) ? test.brief.slice(1) : test.brief;
    const isWhole = test.reason.split("\n").length <= test.brief.length;
    return [
      lines.length ? make("div", { class: "brief" }, ...lines.map((line) => make("p", {}, line))) : null,
      isWhole ? null : folded("The whole reason", make("pre", {}, test.reason)),
    ];
  };
  const besideCharts = (test) => {
    const change = test.change, tables = [];
    if (test.numbers) tables.push(tableOf("Numbers", [], test.numbers));
    if (test.sessions) tables.push(tableOf("Sessions of the baseline, the oldest first", test.sessions.head, test.sessions.rows));
    if (change) {
      tables.push(change.differences.length
        ? tableOf("What differs from the baseline", ["fact", "baseline", "now"], change.differences, "plain texts")
        : listOf(["no recorded fact differs from the baseline"]));
      if (change.notes.length) tables.push(listOf(change.notes));
    }
    if (test.unpowered) tables.push(listOf([test.unpowered]));
    return tables;
  };
  const detailOf = (test) => {
    const tables = besideCharts(test), charts = (test.charts || []).map(chart), parts = briefOf(test);
    if (tables.length || charts.length) parts.push(make("div", { class: "drawn" }, make("div", { class: "beside" }, ...tables), make("div", { class: "charts" }, ...charts)));
    if (test.counts) {
      if (test.counts.rows.length) parts.push(tableOf("Changes in the work", test.counts.head, test.counts.rows, "plain texts changes"));
      parts.push(listOf(test.counts.notes));
    }
    if (test.rounds) {
      const kind = `plain rounds${test.rounds.head.at(-1) === "notes" ? " noted" : ""}`;
      parts.push(folded(`Rounds (${test.rounds.rows.length})`, tableOf("Each round", test.rounds.head, test.rounds.rows, kind)));
    }
    if (test.metrics) parts.push(folded(`Metrics (${test.metrics.length})`, tableOf("Metrics of this test", ["metric", "value"], test.metrics)));
    parts.push(folded("Facts of this test", tableOf("Facts", [], test.facts, "plain texts")));
    if (test.absent) parts.push(folded("Missing values, and why", tableOf("Absent", ["name", "because"], test.absent, "plain texts")));
    return parts.filter((part) => part !== null);
  };

  // ---- table of tests ----

  const table = document.querySelector("table.tests"), body = table.tBodies[0], pager = document.querySelector("nav.pages");
  const failing = new Set(run.failing);
  const state = { text: "", verdict: "", group: "", column: null, isUp: true, page: 0 };
  const opened = new Set();
  const words = run.tests.map((test) => [test.id, test.given || "", test.group || "", test.verdict].join("\n").toLowerCase());
  const collator = new Intl.Collator("en", { numeric: true });

  const verdictOf = (test) => {
    const verdict = run.verdicts[test.verdict];
    return make("span", { class: `verdict ${verdict.tone}` },
      make("span", { class: "symbol", "aria-hidden": "true" }, verdict.symbol), verdict.text);
  };

  const shownName = (place) => run.tests[place].given || run.tests[place].name;
  const compare = (one, other) => {
    if (state.column === null) return one - other;
    const sign = state.isUp ? 1 : -1;
    if (state.column === "name") return sign * (collator.compare(shownName(one), shownName(other)) || collator.compare(run.tests[one].name, run.tests[other].name)) || one - other;
    const a = run.tests[one].sort[state.column] ?? null, b = run.tests[other].sort[state.column] ?? null;
    if (a === null || b === null) return (a === null) - (b === null) || one - other;
    return sign * (a - b) || one - other;
  };
  const chosen = () => {
    const parts = state.text.toLowerCase().split(/\s+/).filter(Boolean);
    const places = [];
    run.tests.forEach((test, place) => {
      if ((!state.verdict || test.verdict === state.verdict) && (!state.group || test.group === state.group)
        && parts.every((part) => words[place].includes(part))) places.push(place);
    });
    return places.sort(compare);
  };

  const toggle = (place, rows, button) => {
    const detail = find(`detail-${place}`);
    if (detail) {
      opened.delete(place);
      detail.remove();
    } else {
      opened.add(place);
      rows.at(-1).after(detailRow(place));
    }
    for (const row of rows) row.classList.toggle("opened", !detail);
    button.setAttribute("aria-expanded", String(!detail));
  };
  const detailRow = (place) => make("tr", { class: "detail", id: `detail-${place}`, role: "row" },
    make("td", { colspan: 2 + run.heads.length, role: "cell" }, make("div", { class: "inside" }, ...detailOf(run.tests[place]))));
  const cellsOf = (texts) => texts.map((text, column) => make("td", { class: text === run.none ? "number none" : "number", "data-label": text ? run.heads[column] : null, role: "cell" }, text));
  const phaseRow = ([name, share, texts]) => make("tr", { role: "row", class: "phase" },
    make("td", { class: "name", role: "cell" }, name), make("td", { role: "cell" }, share), ...cellsOf(texts));
  const rowOf = (place) => {
    const test = run.tests[place], isOpen = opened.has(place);
    const name = test.given ? [make("span", { class: "given" }, test.given), " ", make("span", { class: "test" }, test.name)] : [test.name];
    const button = make("button", { type: "button", class: "opener", "aria-expanded": String(isOpen), title: test.id }, ...name);
    const headline = failing.has(test.verdict) ? make("span", { class: "headline" }, test.brief[0]) : null;
    const row = make("tr", { role: "row" },
      make("td", { class: "name", role: "cell" }, button, headline),
      make("td", { "data-label": "verdict", role: "cell" }, verdictOf(test)),
      ...cellsOf(test.cells));
    const rows = [row, ...(test.phases || []).map(phaseRow)];
    if (isOpen) for (const one of rows) one.classList.add("opened");
    button.addEventListener("click", () => toggle(place, rows, button));
    return isOpen ? [...rows, detailRow(place)] : rows;
  };

  const noRow = (text) => make("tr", { class: "none", role: "row" }, make("td", { colspan: 2 + run.heads.length, role: "cell" }, text));
  const show = (printed = 0) => {
    const places = chosen(), size = printed || (places.length <= UNPAGED ? UNPAGED : PAGE), pages = Math.max(1, Math.ceil(places.length / size));
    state.page = Math.min(state.page, pages - 1);
    const start = state.page * size, part = places.slice(start, start + size);
    const rows = part.flatMap(rowOf);
    if (!rows.length) rows.push(noRow("No test matches the filters above."));
    if (printed && places.length > size) rows.push(noRow(`${places.length - size} more tests are not printed: narrow the choice above, or read the run's JSON.`));
    body.replaceChildren(...rows);
    find("shown").textContent = places.length === run.tests.length ? `${places.length} tests` : `${places.length} of ${run.tests.length} tests`;
    find("reset").hidden = !(state.text || state.verdict || state.group);
    showPager(start, part.length, places.length, pages);
    for (const button of document.querySelectorAll(".counts button")) {
      button.setAttribute("aria-pressed", String(button.dataset.verdict === state.verdict));
    }
  };
  const showPager = (start, count, all, pages) => {
    if (pages === 1) {
      pager.replaceChildren();
      return;
    }
    const turn = (text, page, isOff) => {
      const button = make("button", { type: "button", "data-turn": text }, text);
      button.disabled = isOff;
      button.addEventListener("click", () => {
        state.page = page;
        show();
        (pager.querySelector(`[data-turn="${text}"]:enabled`) || pager.querySelector("button:enabled")).focus();
      });
      return button;
    };
    pager.replaceChildren(
      turn("First", 0, state.page === 0), turn("Previous", state.page - 1, state.page === 0),
      make("span", {}, `${start + 1} to ${start + count} of ${all}`),
      turn("Next", state.page + 1, state.page === pages - 1), turn("Last", pages - 1, state.page === pages - 1));
  };

  const columns = ["name", 0, ...run.heads.map((_, place) => place + 1)];
  [...table.tHead.rows[0].cells].forEach((cell, place) => {
    const button = make("button", { type: "button", title: cell.title || null }, cell.textContent);
    cell.removeAttribute("title");
    cell.replaceChildren(button);
    cell.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const column = columns[place];
      state.isUp = state.column === column ? !state.isUp : column === "name" || column === 0;
      state.column = column;
      state.page = 0;
      for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
      cell.setAttribute("aria-sort", state.isUp ? "ascending" : "descending");
      show();
    });
  });

  const choose = (name, value) => {
    state[name] = value;
    state.page = 0;
    const field = find(name);
    if (field) field.value = value;
    show();
  };
  for (const name of ["text", "verdict", "group"]) {
    const field = find(name);
    if (field) field.addEventListener("input", () => choose(name, field.value));
  }
  for (const button of document.querySelectorAll(".counts button")) {
    button.addEventListener("click", () => choose("verdict", button.dataset.verdict === state.verdict ? "" : button.dataset.verdict));
  }
  const reset = () => {
    for (const name of ["text", "verdict", "group"]) choose(name, "");
  };
  find("reset").addEventListener("click", reset);
  document.querySelector("form.tools").addEventListener("submit", (event) => event.preventDefault());

  // ---- paper ----

  let closed = [], page = 0;
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("main section > article > details.fold:not([open])")];
    for (const part of closed) part.open = true;
    page = state.page;
    state.page = 0;
    show(PRINTED);
  });
  addEventListener("afterprint", () => {
    for (const part of closed) part.open = false;
    state.page = page;
    show();
  });

  root.classList.add("js");
  show();
})();
