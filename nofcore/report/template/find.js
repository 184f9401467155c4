// A trust that the reader names is marked in every chart that knows its place and in every table with a row for it.
(() => {
  const form = document.getElementById("find");
  const input = document.getElementById("find-trust");
  const said = document.getElementById("find-said");
  const hint = said.textContent;
  const names = Object.entries(JSON.parse(document.getElementById("trusts").textContent));
  const known = names.map(([code, name]) => ({ code, name, label: `${name} (${code})` }));
  // Before tables are made sortable, as a search takes rows out of the page.
  const rows = [...document.querySelectorAll("main tbody tr")];
  const tables = new Map(rows.map(row => [row, row.closest("table")]));
  const plots = [...document.querySelectorAll("[data-places]")].map(plot => ({ plot, places: JSON.parse(plot.dataset.places) }));

  // A trust that the page was made for is marked; charts and tables move to one that the reader asks for.
  let asked = location.hash.startsWith("#trust=");

  function look(text) {
    const wanted = plain(text);
    if (!wanted) return [];
    const exact = known.filter(trust => [trust.code, trust.name, trust.label].some(part => plain(part) === wanted));
    return exact.length ? exact : known.filter(trust => plain(trust.label).includes(wanted));
  }

  function clear() {
    document.querySelectorAll(".mark").forEach(mark => mark.remove());
    rows.forEach(row => row.classList.remove("found"));
  }

  function mark({ code, name }) {
    const here = plots.filter(({ places }) => code in places);
    for (const { plot, places } of here) {
      const spot = document.createElement("span");
      spot.className = places[code][0] > .5 ? "mark left" : "mark";
      spot.setAttribute("aria-hidden", "true");
      spot.style.left = `${100 * places[code][0]}%`;
      spot.style.top = `${100 * places[code][1]}%`;
      spot.append(Object.assign(document.createElement("b"), { textContent: code }));
      plot.append(spot);
      const view = plot.parentElement;
      view.scrollLeft = places[code][0] * plot.clientWidth - view.clientWidth / 2;
    }
    const own = rows.filter(row => [...row.cells].some(cell => [code, name].includes(cell.textContent.trim())));
    const shown = new Set();
    for (const row of own) {
      row.classList.add("found");
      const box = row.closest(".scroll");
      if (asked && box && !shown.has(box)) box.scrollTop += row.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight / 2;
      shown.add(box);
    }
    const found = new Set(own.map(row => tables.get(row)));
    const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;
    const parts = [here.length && count(here.length, "chart"), found.size && count(found.size, "table")].filter(Boolean);
    return parts.length ? `${name}: marked in ${parts.join(" and ")}.` : `${name} is in no chart or table of this page.`;
  }

  function find() {
    clear();
    const found = look(input.value);
    said.textContent = !input.value.trim() ? hint
      : found.length === 1 ? mark(found[0])
      : found.length ? `${found.length} trusts match; type more of the name.` : "No trust of this page matches.";
    const address = found.length === 1 ? `#trust=${found[0].code}` : location.pathname + location.search;
    if ((asked && found.length === 1) || location.hash.startsWith("#trust=")) history.replaceState(null, "", address);
  }

  document.getElementById("find-list").append(...known.map(({ label }) => new Option(label)));
  form.hidden = false;
  form.addEventListener("submit", event => event.preventDefault());
  input.addEventListener("input", () => { asked = true; find(); });
  input.addEventListener("focus", () => input.select());
  const named = event => {
    const code = /^#trust=(\w+)$/.exec(location.hash)?.[1];
    if (code) asked = true;
    if (code) input.value = known.find(trust => trust.code === code)?.label ?? code;
    if (code || (!event && input.value)) find(); // a link within the page keeps its own address
  };
  addEventListener("hashchange", named);
  addEventListener("sortable", find); // tables have other heights then
  named();
})();
