"use strict";
// Rule 1: text goes into the page as text nodes and attributes' values alone; no markup is ever parsed.
// Rule 2: every number to be read comes as a text; numbers here only place and order things.
(() => {
  const history = JSON.parse(document.getElementById("history").textContent);
  const PAGE = 200, HEIGHT = 270, LEFT = 78, RIGHT = 14, TOP = 34, BOTTOM = 40, NAMED = 92;
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
  // An address is made in Python, for hosts that it knows; what begins otherwise is only text.
  const linked = (text, address) => (address.startsWith("https://")
    ? make("a", { href: address, rel: "noreferrer noopener" }, text) : document.createTextNode(text));
  const write = (x, y, text, look, anchor = "start") => shape("text", { x, y, class: look, "text-anchor": anchor }, text);

  // ---- theme ----

  const THEMES = ["system", "light", "dark"];
  let theme = 0;
  find("theme").addEventListener("click", (event) => {
    theme = (theme + 1) % THEMES.length;
    if (theme) root.dataset.theme = THEMES[theme];
    else delete root.dataset.theme;
    event.currentTarget.textContent = `Theme: ${THEMES[theme]}`;
  });

  // ---- chart of a track ----

  const FORMS = { p: "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z", u: "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z",
    b: "m0 -5l5 9h-10z", g: "m0 5l5 -9h-10z", x: "m-3.5 -3.5l7 7m0 -7l-7 7" };
  const KEYS = { p: "run", b: "failed run", g: "improvement", u: "not used for levels", x: "no joules" };

  const drawn = (track, width) => {
    const count = track.y.length, foot = HEIGHT - BOTTOM;
    const across = (place) => LEFT + (count > 1 ? place / (count - 1) : 0.5) * (width - LEFT - RIGHT);
    const up = (share) => foot - share / history.scale * (foot - TOP);
    const svg = shape("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, tabindex: "0", role: "group",
      "aria-label": `${track.name}: ${count} runs. Left and right arrow keys select a run.` });
    for (const [share, text] of track.ticks) {
      svg.append(shape("path", { class: "grid", d: `M${LEFT} ${up(share)}H${width - RIGHT}` }), write(LEFT - 6, up(share) + 4, text, "tick", "end"));
    }
    svg.append(write(4, 14, track.label, "label"), shape("path", { class: "axis", d: `M${LEFT} ${foot}H${width - RIGHT}` }));
    const ticks = Math.max(1, Math.min(count, Math.floor((width - LEFT - RIGHT) / NAMED)));
    for (let number = 0; number < ticks; number += 1) {
      const place = ticks > 1 ? Math.round(number * (count - 1) / (ticks - 1)) : 0, run = history.runs[track.runs[place]];
      const anchor = count === 1 ? "middle" : number === 0 ? "start" : number === ticks - 1 ? "end" : "middle";
      svg.append(shape("path", { class: "axis", d: `M${across(place)} ${foot}v4` }),
        write(across(place), foot + 16, run[3].slice(0, 10), "tick", anchor), write(across(place), foot + 30, run[0], "tick", anchor));
    }
    track.steps.forEach((step, number) => {
      const x = (across(step.at) + across(step.at - 1)) / 2;
      const anchor = x > width - 70 ? "end" : x < LEFT + 40 ? "start" : "middle";
      svg.append(shape("path", { class: "step", d: `M${x} ${TOP - 6}V${foot}` }), write(x, number % 2 ? TOP - 20 : TOP - 9, step.short, "size", anchor));
    });
    const bars = track.bars.map((ends, place) => (ends.length ? `M${across(place)} ${up(ends[0])}V${up(ends[1])}` : "")).join("");
    svg.append(shape("path", { class: "bar-line", d: bars }));
    svg.append(shape("path", { class: "level", d: track.levels.map(([first, last, share]) => `M${across(first)} ${up(share)}H${across(last)}`).join("") }));
    track.y.forEach((share, place) => {
      const look = track.looks[place], y = share === null ? foot - 8 : up(share);
      const title = `${history.runs[track.runs[place]][0]}: ${track.values[place]}`;
      svg.append(shape("path", { class: `pt ${look}`, d: `M${across(place)} ${y}${FORMS[look]}` }, shape("title", {}, title)));
    });
    const ring = shape("circle", { class: "ring", r: 7, cx: -20, cy: -20 });
    svg.append(ring);
    return { svg, across, ring, at: (place) => (track.y[place] === null ? foot - 8 : up(track.y[place])) };
  };

  const keysOf = (track) => make("ul", { class: "keys" }, ...Object.keys(KEYS).filter((look) => track.looks.includes(look)).map((look) =>
    make("li", {}, shape("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" },
      shape("path", { class: `pt ${look}`, d: `M8 8${FORMS[look]}` })), KEYS[look])),
    make("li", {}, shape("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, shape("path", { class: "level", d: "M0 8H16" })), "level"),
    track.steps.length ? make("li", {}, shape("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, shape("path", { class: "step", d: "M8 0V16" })), "step") : null);

  const stepOf = (step) => make("div", { class: `card stepped ${step.is_rise ? "bad" : "good"}` },
    make("p", {}, make("strong", {}, step.text), ` ${step.where}`),
    step.link ? make("p", {}, linked("Compare the two commits", step.link)) : null,
    step.commits.length ? make("ol", { class: "commits" }, ...step.commits.map(([name, address, subject, date]) =>
      make("li", {}, linked(name, address), ` ${subject} (${date})`))) : null);

  const cardOf = (track, place, select) => {
    const [commit, address, subject, date, machine, file] = history.runs[track.runs[place]];
    const turn = (text, next) => {
      const button = make("button", { type: "button", "aria-label": `${text} run` }, text);
      button.disabled = next < 0 || next >= track.y.length;
      button.addEventListener("click", () => select(next, text));
      return button;
    };
    const verdict = history.texts[track.verdicts[place]], reason = history.texts[track.reasons[place]];
    return [make("h4", {}, turn("Previous", place - 1), turn("Next", place + 1), `${track.values[place]}${verdict ? `, ${verdict}` : ""}`),
      make("p", {}, "commit ", linked(commit, address), subject ? ` ${subject}` : "", `, measured ${date} UTC`),
      make("p", {}, `on ${machine}, from ${file}`), reason ? make("p", {}, reason) : null].filter((part) => part);
  };

  const detailOf = (track) => {
    const card = make("div", { class: "card", "aria-live": "polite" }), holder = make("div", { class: "over" });
    let chart = null, chosen = track.steps.length ? track.steps.at(-1).at : track.y.length - 1;
    const mark = () => {
      chart.ring.setAttribute("cx", chart.across(chosen));
      chart.ring.setAttribute("cy", chart.at(chosen));
    };
    const select = (place, turned) => {
      chosen = Math.max(0, Math.min(track.y.length - 1, place));
      mark();
      card.replaceChildren(...cardOf(track, chosen, select));
      if (turned) [...card.querySelectorAll("button")].find((button) => button.textContent === turned && !button.disabled)?.focus();
    };
    const draw = (width) => {
      const fresh = drawn(track, Math.max(260, Math.round(width)));
      if (chart) chart.svg.replaceWith(fresh.svg);
      else holder.prepend(fresh.svg);
      chart = fresh;
      chart.svg.addEventListener("click", (event) => {
        const box = chart.svg.getBoundingClientRect(), x = (event.clientX - box.left) / box.width * chart.svg.viewBox.baseVal.width;
        const gap = (chart.across(1) - chart.across(0)) || 1;
        select(Math.round((x - chart.across(0)) / gap));
      });
      chart.svg.addEventListener("keydown", (event) => {
        const next = { ArrowLeft: chosen - 1, ArrowRight: chosen + 1, Home: 0, End: track.y.length - 1 }[event.key];
        if (next === undefined) return;
        event.preventDefault();
        select(next);
      });
      mark();
    };
    holder.append(keysOf(track), card, ...[...track.steps].reverse().map(stepOf), make("ul", { class: "notes" }, ...track.notes.map((note) => make("li", {}, note))));
    let width = 0;
    new ResizeObserver(([entry]) => {
      if (Math.abs(entry.contentRect.width - width) < 2) return;
      width = entry.contentRect.width;
      draw(width);
    }).observe(holder);
    draw(900);
    select(chosen);
    return holder;
  };

  // ---- table of tests ----

  const body = document.querySelector("table.history").tBodies[0], rows = [...body.rows];
  const collator = new Intl.Collator("en", { numeric: true });
  const names = rows.map((row) => row.cells[0].textContent.toLowerCase());
  const sizes = rows.map((row) => Math.abs(parseFloat(row.dataset.size)) || 0);
  const details = new Map();
  let isAll = false;

  rows.forEach((row, place) => {
    const label = row.querySelector(".label"), button = make("button", { type: "button", class: "opener", "aria-expanded": "false", title: label.title }, label.textContent);
    label.replaceWith(button);
    const toggle = () => {
      const open = details.get(place);
      if (open) {
        open.remove();
        details.delete(place);
      } else {
        const detail = make("tr", { class: "detail", role: "row" }, make("td", { colspan: 5, role: "cell" }, make("div", { class: "inside" }, detailOf(history.tracks[place]))));
        details.set(place, detail);
        row.after(detail);
      }
      row.classList.toggle("opened", !open);
      button.setAttribute("aria-expanded", String(!open));
    };
    button.addEventListener("click", toggle);
    row.querySelector(".spark").addEventListener("click", toggle);
  });

  const ORDERS = {
    newest: (one, other) => one - other,
    largest: (one, other) => sizes[other] - sizes[one] || one - other,
    failed: (one, other) => rows[other].dataset.failed - rows[one].dataset.failed || one - other,
    name: (one, other) => collator.compare(names[one], names[other]) || one - other,
  };
  const show = () => {
    const parts = find("text").value.toLowerCase().split(/\s+/).filter(Boolean), isStepped = find("stepped").checked;
    const places = rows.map((_, place) => place).filter((place) => parts.every((part) => names[place].includes(part)) && (!isStepped || rows[place].dataset.size));
    places.sort(ORDERS[find("order").value]);
    const shown = new Set(isAll ? places : places.slice(0, PAGE));
    for (const place of places) {
      body.append(rows[place]);
      if (details.has(place)) body.append(details.get(place));
    }
    rows.forEach((row, place) => {
      row.hidden = !shown.has(place);
      if (details.has(place)) details.get(place).hidden = row.hidden;
    });
    const all = rows.length === 1 ? "1 row" : `${rows.length} rows`;
    find("shown").textContent = places.length === rows.length ? all : `${places.length} of ${all}`;
    find("more").hidden = shown.size === places.length;
    find("more").textContent = `Show all ${places.length}`;
  };
  for (const id of ["text", "order", "stepped"]) find(id).addEventListener("input", show);
  find("more").addEventListener("click", () => {
    isAll = true;
    show();
  });
  document.querySelector("form.tools").addEventListener("submit", (event) => event.preventDefault());

  root.classList.add("js");
  show();
})();
