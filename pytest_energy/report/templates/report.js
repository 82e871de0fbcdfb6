"use strict";
// Rule 1: text goes into the page as text nodes and attributes' values alone; no markup is ever parsed.
// Rule 2: every number to be read comes as a text; numbers here only place and order things.
(() => {
  const run = JSON.parse(document.getElementById("run").textContent);
  const PAGE = 50, PRINTED = 500;
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

  const WIDTH = 360, LEFT = 62, RIGHT = 12, TOP = 14;
  const path = (kind, d) => shape("path", { class: kind, d });
  const label = (x, y, text, kind = "label", anchor = "start") =>
    shape("text", { x, y, class: kind, "text-anchor": anchor }, text);
  const scale = (axis, from, to) => (value) => {
    const [lower, upper] = axis.ends;
    return from + ((value - lower) / (upper - lower)) * (to - from);
  };
  const chart = (title, caption, height, shapes, keys = []) =>
    make("figure", {},
      make("figcaption", {}, make("strong", {}, title), ...caption.map((line) => make("span", {}, line))),
      shape("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": [title, ...caption].join(". ") }, ...shapes),
      keys.length ? make("ul", { class: "keys" }, ...keys) : null);
  const key = (mark, text) =>
    make("li", {}, shape("svg", { viewBox: "0 0 24 16", width: 24, height: 16, "aria-hidden": "true" }, ...[mark].flat()), text);

  const upright = (axis, foot) => {
    const y = scale(axis, foot, TOP);
    const grid = axis.ticks.flatMap(([value, text]) =>
      [path("grid", `M${LEFT} ${y(value)}H${WIDTH - RIGHT}`), label(LEFT - 6, y(value) + 4, text, "tick", "end")]);
    return [y, grid];
  };
  const roundNumbers = (numbers, x, foot, others = 0) => {
    const step = Math.ceil((numbers.length + others) / 10);
    return [
      path("axis", `M${LEFT} ${foot}H${WIDTH - RIGHT}`),
      ...numbers.filter((_, place) => place % step === 0).map((number) => label(x(number), foot + 16, String(number), "tick", "middle")),
      label(WIDTH - RIGHT, foot + 31, "round", "label", "end"),
    ];
  };

  const levelChart = ({ title, axis, points, band, lines, sessions, allowed }) => {
    const foot = 186, [y, grid] = upright(axis, foot), before = sessions.length;
    const x = scale({ ends: [0.4 - before, points.length + 0.6] }, LEFT, WIDTH - RIGHT);
    const shapes = [];
    if (allowed) shapes.push(path("allowed", `M${LEFT} ${y(allowed[0])}H${WIDTH - RIGHT}V${y(allowed[1])}H${LEFT}z`));
    if (band.length) shapes.push(path("band", `M${LEFT} ${y(band[0])}H${WIDTH - RIGHT}V${y(band[1])}H${LEFT}z`));
    shapes.push(...grid, ...roundNumbers(points.map((_, place) => place + 1), x, foot, before));
    const kinds = ["line dashed", "line dotted"];
    const keys = [key(path("mark circle first", "M8 8a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z"), "a round, with its standard uncertainty")];
    if (band.length) keys.push(key(path("band", "M1 3h22v10h-22z"), "95 % interval of the mean of the rounds"));
    lines.forEach(([value, text], place) => {
      const kind = text.startsWith("budget") ? kinds[1] : kinds[0];
      shapes.push(path(kind, `M${LEFT} ${y(value)}H${WIDTH - RIGHT}`));
      keys.push(key(path(kind, "M1 8H23"), text));
    });
    if (allowed) {
      shapes.push(path("line third limit", `M${LEFT} ${y(allowed[1])}H${WIDTH - RIGHT}`));
      keys.push(key([path("allowed", "M1 3h22v12h-22z"), path("line third limit", "M1 3H23")], allowed[2]));
    }
    if (before) {
      const square = "m-3.5 -3.5h7v7h-7z";
      shapes.push(path("axis", `M${x(0.5)} ${TOP - 6}V${foot}`));
      sessions.forEach((value, place) => {
        const at = x(place + 1 - before);
        shapes.push(path("mark hollow", `M${at} ${y(value)}${square}`));
        if (!place || x(2) - x(1) > 22) shapes.push(label(at, foot + 16, `S${place + 1}`, "tick", "middle"));
      });
      keys.push(key(path("mark hollow", `M12 8${square}`), "level of a session of the baseline, S1 the oldest"));
    }
    points.forEach((point, place) => {
      const at = x(place + 1);
      if (point === null) {
        shapes.push(path("mark cross", `M${at - 4} ${foot - 10}l8 8m0 -8l-8 8`));
        return;
      }
      const [value, error] = point, top = y(value + error), end = y(value - error);
      shapes.push(path("line first", `M${at - 3} ${top}h6M${at - 3} ${end}h6M${at} ${top}V${end}`));
      shapes.push(path("mark circle first", `M${at - 4} ${y(value)}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z`));
    });
    if (points.includes(null)) keys.push(key(path("mark cross", "M8 4l8 8m0 -8l-8 8"), "a round without usable joules"));
    return chart(title, ["the axis does not begin at 0"], 222, shapes, keys);
  };

  const changeChart = ({ axis, ratio, bounds, detectable, basis, tolerance }) => {
    const foot = 74, x = scale(axis, 24, WIDTH - 24), middle = 36;
    const [lower, upper] = bounds;
    const shapes = [
      tolerance ? path("allowed", `M${x(0)} ${TOP}H${x(tolerance[0])}V${foot}H${x(0)}z`) : null,
      tolerance ? path("line third limit", `M${x(tolerance[0])} ${TOP}V${foot}`) : null,
      ...axis.ticks.flatMap(([value, text]) => [path("grid", `M${x(value)} ${TOP}V${foot}`), label(x(value), foot + 16, text, "tick", "middle")]),
      path("axis", `M24 ${foot}H${WIDTH - 24}`),
      path("line ink", `M${x(0)} ${TOP - 6}V${foot}`),
      path("line dotted", `M${x(detectable[0])} ${TOP}V${foot}`),
      path("line first", `M${x(lower[0])} ${middle}H${x(upper[0])}M${x(lower[0])} ${middle - 6}v12M${x(upper[0])} ${middle - 6}v12`),
      path("mark circle first", `M${x(ratio[0]) - 5} ${middle}a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z`),
    ];
    return chart("Change against the baseline", [`${ratio[1]}, bounds ${lower[1]} to ${upper[1]} (${basis})`], 96, shapes, [
      key(path("mark circle first", "M7 8a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z"), "change, with its bounds"),
      key(path("line ink", "M1 8H23"), "no change"),
      tolerance ? key([path("allowed", "M1 2h20v13h-20z"), path("line third limit", "M21 1V16")], tolerance[1]) : null,
      key(path("line dotted", "M1 8H23"), `${detectable[1]}: a rise that would have been told with 80 % power`),
    ]);
  };

  const whyChart = ({ why }) => {
    const most = Math.max(...why.map(([, size]) => Math.abs(size))) || 1;
    const middle = 195, half = 90;
    const shapes = why.flatMap(([name, size, text], place) => {
      const top = 12 + place * 30, width = Math.abs(size / most) * half;
      return [
        label(4, top + 14, name, place ? "label" : "label strong"),
        path(`fill ${size < 0 ? "down" : "up"}`, `M${size < 0 ? middle - width : middle} ${top}h${width}v18h${-width}z`),
        label(WIDTH - 2, top + 14, text, "label", "end"),
      ];
    });
    shapes.push(path("axis", `M${middle} 4V${12 + why.length * 30}`));
    return chart("Why: time and power", ["energy = time x power; bars are logarithms of the ratios, and add up"], 20 + why.length * 30, shapes);
  };

  const channelChart = ({ title, axis, names, rounds }) => {
    const foot = 186, [y, grid] = upright(axis, foot);
    const x = scale({ ends: [0.4, rounds.length + 0.6] }, LEFT, WIDTH - RIGHT);
    const numbers = rounds.map(([number]) => number), place = new Map(numbers.map((number, at) => [number, at + 1]));
    const half = Math.min(16, (x(1.8) - x(1)) / 2);
    const shapes = [...grid];
    for (const [number, ...values] of rounds) {
      let sum = 0;
      values.forEach((value, channel) => {
        const left = x(place.get(number)) - half;
        shapes.push(path(`fill c${channel % 4}`, `M${left} ${y(sum)}h${2 * half}V${y(sum + value)}h${-2 * half}z`));
        sum += value;
      });
    }
    shapes.push(...roundNumbers(numbers, (number) => x(place.get(number)), foot));
    const keys = names.map((name, channel) => key(path(`fill c${channel % 4}`, "M2 2h20v12h-20z"), name));
    return chart(title, [`from below: ${names.join(", ")}`], 222, shapes, keys);
  };

  const powerChart = ({ title, caption, x: seconds, y: watts, lines, mean, key: text }) => {
    const foot = 186, [y, grid] = upright(watts, foot), x = scale(seconds, LEFT, WIDTH - RIGHT);
    const shapes = [...grid, path("axis", `M${LEFT} ${foot}H${WIDTH - RIGHT}`),
      ...seconds.ticks.map(([value, number]) => label(x(value), foot + 16, number, "tick", "middle")),
      label(WIDTH - RIGHT, foot + 31, "seconds since the window opened", "label", "end")];
    for (const line of lines) {
      // Through the middle of each step; the last pair only ends the last one.
      const middles = line.slice(1).map(([until], place) => `L${x((line[place][0] + until) / 2)} ${y(line[place][1])}`);
      const [first, last] = [line[0], line[line.length - 1]].map(([time, power]) => `${x(time)} ${y(power)}`);
      shapes.push(path(lines.length > 1 ? "line first thin" : "line first", `M${first}${middles.join("")}L${last}`));
    }
    shapes.push(path("line dashed", `M${LEFT} ${y(mean[0])}H${WIDTH - RIGHT}`));
    return chart(title, caption, 222, shapes, [
      key(path("line first", "M1 12L8 5L15 9L23 4"), text), key(path("line dashed", "M1 8H23"), mean[1])]);
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

  const detailOf = (test) => {
    const figures = [], parts = [make("pre", {}, test.reason)], change = test.change;
    if (test.level) figures.push(levelChart(test.level));
    if (change) {
      figures.push(changeChart(change));
      if (change.why.length) figures.push(whyChart(change));
    }
    if (test.channels) figures.push(channelChart(test.channels));
    for (const power of test.power || []) figures.push(powerChart(power));
    if (test.rounds) figures.push(tableOf("Rounds", test.rounds.head, test.rounds.rows, "plain rounds"));
    parts.push(make("div", { class: "drawn" }, ...figures));
    if (test.unpowered) parts.push(listOf([test.unpowered]));
    if (change) {
      parts.push(change.differences.length
        ? tableOf("What differs from the baseline", ["fact", "baseline", "now"], change.differences, "plain texts")
        : listOf(["no recorded fact differs from the baseline"]));
      if (change.notes.length) parts.push(listOf(change.notes));
    }
    if (test.phases) parts.push(folded("Phases of the rounds", tableOf("Phases", ["round", "phase", "energy", "s"], test.phases)));
    if (test.metrics) parts.push(folded("Metrics of this test", tableOf("Metrics", ["metric", "value"], test.metrics)));
    parts.push(folded("Facts of this test", tableOf("Facts", [], test.facts, "plain texts")));
    if (test.absent) parts.push(folded(`What is absent, and why (${test.absent.length})`, tableOf("Absent", ["name", "because"], test.absent, "plain texts")));
    return parts;
  };

  // ---- table of tests ----

  const table = document.querySelector("table.tests"), body = table.tBodies[0], pager = document.querySelector("nav.pages");
  const failing = new Set(run.failing);
  const state = { text: "", verdict: "", group: "", column: null, isUp: true, page: 0 };
  const opened = new Set();
  const words = run.tests.map((test) => [test.id, test.model || "", test.group || "", test.verdict].join("\n").toLowerCase());
  const collator = new Intl.Collator("en", { numeric: true });

  const verdictOf = (test) => {
    const verdict = run.verdicts[test.verdict];
    return make("span", { class: `verdict ${verdict.tone}` },
      make("span", { class: "symbol", "aria-hidden": "true" }, verdict.symbol), verdict.text);
  };

  const compare = (one, other) => {
    if (state.column === null) return one - other;
    const sign = state.isUp ? 1 : -1;
    if (state.column === "name") return sign * collator.compare(run.tests[one].name, run.tests[other].name) || one - other;
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

  const toggle = (place, row, button) => {
    const detail = find(`detail-${place}`);
    if (detail) {
      opened.delete(place);
      detail.remove();
    } else {
      opened.add(place);
      row.after(detailRow(place));
    }
    row.classList.toggle("opened", !detail);
    button.setAttribute("aria-expanded", String(!detail));
  };
  const detailRow = (place) => make("tr", { class: "detail", id: `detail-${place}`, role: "row" },
    make("td", { colspan: 2 + run.heads.length, role: "cell" }, make("div", { class: "inside" }, ...detailOf(run.tests[place]))));
  const rowOf = (place) => {
    const test = run.tests[place], isOpen = opened.has(place);
    const button = make("button", { type: "button", class: "opener", "aria-expanded": String(isOpen), title: test.id }, test.name);
    const headline = failing.has(test.verdict) ? make("span", { class: "headline" }, test.reason.split("\n", 1)[0]) : null;
    const row = make("tr", { role: "row", class: isOpen ? "opened" : null },
      make("td", { class: "name", role: "cell" }, button, headline),
      make("td", { "data-label": "verdict", role: "cell" }, verdictOf(test)),
      ...test.cells.map((text, column) => make("td", { class: "number", "data-label": run.heads[column], role: "cell" }, text)));
    button.addEventListener("click", () => toggle(place, row, button));
    return isOpen ? [row, detailRow(place)] : [row];
  };

  const noRow = (text) => make("tr", { class: "none", role: "row" }, make("td", { colspan: 2 + run.heads.length, role: "cell" }, text));
  const show = (size = PAGE) => {
    const places = chosen(), pages = Math.max(1, Math.ceil(places.length / size));
    state.page = Math.min(state.page, pages - 1);
    const start = state.page * size, part = places.slice(start, start + size);
    const rows = part.flatMap(rowOf);
    if (!rows.length) rows.push(noRow("No test fits what is chosen above."));
    if (size === PRINTED && places.length > size) rows.push(noRow(`${places.length - size} more tests are not printed: choose some above, or read the run's JSON.`));
    body.replaceChildren(...rows);
    find("shown").textContent = places.length === run.tests.length ? `${places.length} tests` : `${places.length} of ${run.tests.length} tests`;
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
