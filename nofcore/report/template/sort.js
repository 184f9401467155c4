// Tables that a reader can sort and search.
const packed = Uint8Array.from(atob(document.getElementById("datatables").textContent), c => c.charCodeAt(0));
const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
const source = new Blob([await new Response(unpacked).text()], { type: "text/javascript" });
const { default: DataTable } = await import(URL.createObjectURL(source));
// Accents and apostrophes of any kind make no difference to a search.
const plain = text => text.normalize("NFD").replace(/[\u0300-\u036f'\u2018\u2019]/g, "");
DataTable.util.diacritics((text, both) =>
  typeof text !== "string" ? text : both && plain(text) !== text ? `${text} ${plain(text)}` : plain(text));
// Figures are set with a true minus sign, and a dash where there is none: to be sorted as numbers they need plain ones.
// Ranges, and figures with units, go by the first number, then by the second.
const range = /^~?-?\d[\d,.]* to ~?-?\d/;
function order(cell) {
  const text = cell.textContent.trim().replace(/\u2212(?=[\d.])/g, "-").replace(/^\u2013$/, "");
  if (!cell.classList.contains("gt_right") && !range.test(text)) return text;
  const [first, second = 0] = (text.match(/-?\d[\d,]*(?:\.\d+)?/g) ?? []).map(number => Number(number.replaceAll(",", "")));
  return first === undefined ? text : first + second * 1e-6;
}
for (const table of document.querySelectorAll("table[data-sortable]")) {
  for (const cell of table.querySelectorAll("tbody td")) cell.dataset.order = order(cell);
  new DataTable(table, {
    autoWidth: false,
    order: [],
    paging: false,
    search: { smart: false },
    layout: { topStart: "search", topEnd: null, bottomStart: "info", bottomEnd: null },
    language: {
      search: "Find in this table",
      info: "_TOTAL_ of _MAX_ rows",
      infoEmpty: "0 of _MAX_ rows",
      infoFiltered: "",
      zeroRecords: "No row matches",
    },
  });
}
dispatchEvent(new Event("sortable"));
// The headings are buttons to assistive technology: the space bar must press them too.
addEventListener("keydown", event => {
  if (event.key === " " && event.target.matches("th [role=button], th[role=button]")) {
    event.preventDefault();
    event.target.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", code: "Enter", keyCode: 13, which: 13, bubbles: true }));
    event.target.dispatchEvent(new KeyboardEvent("keypress", { key: "Enter", code: "Enter", keyCode: 13, which: 13, bubbles: true }));
  }
});
