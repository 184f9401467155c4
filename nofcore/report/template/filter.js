// The list of trusts, shortened to those whose name, code or type holds what the reader types.
(() => {
  const form = document.getElementById("find");
  const input = document.getElementById("find-trust");
  const said = document.getElementById("find-said");
  const rows = [...document.querySelectorAll("#trusts tbody tr")].map(row => ({ row, text: plain(row.cells[0].textContent) }));
  function filter() {
    const asked = plain(input.value);
    for (const { row, text } of rows) row.hidden = !text.includes(asked);
    const left = rows.filter(({ row }) => !row.hidden).length;
    said.textContent = left ? `${left} of ${rows.length} trusts` : "No trust of this report matches.";
  }
  form.hidden = false;
  form.addEventListener("submit", event => event.preventDefault());
  input.addEventListener("input", filter);
  filter();
})();
