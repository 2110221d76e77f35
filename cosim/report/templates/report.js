"use strict";
// Without this script every picture is shown below the other and the table stands in its first order.
(function () {
  const chosen = { machine: null, power: null };
  const buttons = document.querySelectorAll(".choose button");
  const views = document.querySelectorAll("[data-view-machine]");
  const rows = document.querySelectorAll("#decoders tbody tr");
  const all = buttons.length ? buttons[0].dataset.machine : null;
  const several = document.querySelectorAll("button[data-machine]").length > 1;

  // The choice stands in the address, so that a view can be linked to: #gap9/decoder
  function fromAddress() {
    const [machine, power] = decodeURIComponent(location.hash.slice(1)).split("/");
    views.forEach((view) => {
      if (view.dataset.viewMachine === machine) chosen.machine = machine;
      if (view.dataset.viewPower === power) chosen.power = power;
    });
    show();
  }

  function show() {
    let none = true;
    views.forEach((view) => {
      view.hidden = view.dataset.viewMachine !== chosen.machine || view.dataset.viewPower !== chosen.power;
      none = none && view.hidden;
    });
    document.getElementById("no-view").hidden = !none;
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
    button.addEventListener("click", () => {
      chosen[kind] = button.dataset[kind];
      location.replace("#" + encodeURIComponent(chosen.machine) + "/" + encodeURIComponent(chosen.power));
      show();
    });
  });
  document.querySelectorAll(".choose").forEach((element) => { element.hidden = false; });
  fromAddress();
  addEventListener("hashchange", fromAddress);

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
