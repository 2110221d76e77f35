"use strict";
// Without this script there are no charts, and the table stands in its first order.
(function () {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const tables = JSON.parse(document.getElementById("downloads").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const PHONE = 600;

  // The library lies packed in the page
  async function unpack() {
    const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), (letter) => letter.charCodeAt(0));
    const script = document.createElement("script");
    script.textContent = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
    document.head.append(script);
  }

  // Colours of the page, and on a phone the labels that were placed for it
  function fitted(chart, width) {
    const found = JSON.parse(JSON.stringify(chart));
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const layout = found.layout;
    layout.paper_bgcolor = layout.plot_bgcolor = colour("--paper");
    layout.font = Object.assign({}, layout.font, { color: colour("--ink"), family: getComputedStyle(document.body).fontFamily });
    for (const name of ["xaxis", "yaxis"]) layout[name] = Object.assign({ gridcolor: colour("--line"), linecolor: colour("--line") }, layout[name]);
    if (width < PHONE) {
      if (layout.meta && layout.meta.narrow) layout.annotations = layout.meta.narrow;
      layout.font.size = 11;
      // A legend stands in one column there
      const named = found.data.filter((trace) => trace.showlegend !== false && trace.type !== "heatmap").length;
      if (named > 1 || layout.showlegend) layout.height += 19 * Math.max(named - 2, 0);
    }
    // Bars and lines below a label do not strike it through
    for (const note of layout.annotations || []) note.bgcolor = colour("--paper") + "b3";
    return found;
  }

  function draw(element) {
    const kind = element.dataset.chart;
    const key = kind.endsWith("/") ? kind + chosen.machine + "/" + chosen.power : kind;
    const chart = charts[key];
    element.hidden = !chart;
    if (!chart || !element.clientWidth) return;
    const { data, layout } = fitted(chart, element.clientWidth);
    const config = {
      responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: "", modeBarButtonsToRemove: ["lasso2d", "select2d"],
      displayModeBar: element.clientWidth < PHONE ? false : "hover",
      toImageButtonOptions: { format: "svg", filename: key.replaceAll("/", "-") },
    };
    Plotly.react(element, data, layout, config);
  }

  function drawAll() { if (window.Plotly) document.querySelectorAll(".chart").forEach(draw); }

  function save(name, content, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type: type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  document.querySelectorAll(".save").forEach((element) => { element.hidden = false; });
  document.querySelectorAll("[data-table]").forEach((button) => button.addEventListener("click", () => {
    const { table, format } = button.dataset;
    save(table + (format === "csv" ? ".csv" : ".tex"), tables[table][format], "text/plain;charset=utf-8");
  }));
  document.querySelectorAll(".chart").forEach((element) => {
    const line = document.createElement("p");
    line.className = "save";
    line.innerHTML = '<span class="soft">Save figure</span> ';
    for (const format of ["png", "svg"]) {
      const button = document.createElement("button");
      button.textContent = format.toUpperCase();
      button.addEventListener("click", () => Plotly.downloadImage(element, {
        format: format, filename: element.dataset.chart.replaceAll("/", ""), scale: 2, width: element.clientWidth, height: element.clientHeight,
      }));
      line.append(button, " ");
    }
    element.after(line);
  });

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
    drawAll();
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
  unpack().then(drawAll);
  dark.addEventListener("change", drawAll);
  let phone = innerWidth < PHONE;
  addEventListener("resize", () => {
    if (phone !== innerWidth < PHONE) drawAll();
    phone = innerWidth < PHONE;
  });

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
