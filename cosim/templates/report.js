"use strict";
// Without this script every picture is shown below the other and the table stands in its first order.
(function () {
  const chosen = { machine: null, power: null };
  const buttons = document.querySelectorAll(".choose button");
  const views = document.querySelectorAll("[data-view-machine]");
  const rows = document.querySelectorAll("#decoders tbody tr");
  const all = buttons.length ? buttons[0].dataset.machine : null;
  const several = document.querySelectorAll("button[data-machine]").length > 1;

  function show() {
    views.forEach((view) => {
      view.hidden = view.dataset.viewMachine !== chosen.machine || view.dataset.viewPower !== chosen.power;
    });
    rows.forEach((row) => {
      row.hidden = several && chosen.machine !== all && row.dataset.machine !== chosen.machine;
    });
    buttons.forEach((button) => {
      const kind = button.dataset.machine !== undefined ? "machine" : "power";
      button.setAttribute("aria-pressed", String(button.dataset[kind] === chosen[kind]));
    });
  }

  buttons.forEach((button) => {
    const kind = button.dataset.machine !== undefined ? "machine" : "power";
    if (chosen[kind] === null) chosen[kind] = button.dataset[kind];
    button.addEventListener("click", () => { chosen[kind] = button.dataset[kind]; show(); });
  });
  document.querySelectorAll(".choose").forEach((element) => { element.hidden = false; });
  show();

  const table = document.getElementById("decoders");
  const heads = table.querySelectorAll("thead th");
  heads.forEach((head, column) => head.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = (row) => {
      const cell = row.cells[column];
      if (head.dataset.key === "text") return cell.textContent.trim();
      return cell.dataset.sort === "inf" ? Infinity : Number(cell.dataset.sort);
    };
    const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    const body = table.tBodies[0];
    [...body.rows].sort((a, b) => (up ? 1 : -1) * order(value(a), value(b))).forEach((row) => body.append(row));
  }));
})();
