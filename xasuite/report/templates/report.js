"use strict";
(function () {
  const viewers = JSON.parse(document.getElementById("data").textContent);
  const DATA = "#000000", FIT = "#d00000", BLUE = "#0072b2", QUIET = "#909090";
  const COLORS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"];
  const LINES = [["mu", DATA, "μ(E)"], ["pre_edge", "#009e73", "pre-edge"], ["post_edge", "#e69f00", "post-edge"], ["bkg", BLUE, "background"]];
  const PAGE = 690, HALF = 342, MOST_PRINTED = 24; // widths on paper; rows whose fits are printed
  const ABOVE = { orientation: "h", x: 0, y: 1.01, yanchor: "bottom", font: { size: 10 } }; // where oscillations fill the plot
  const CONFIG = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d"] };

  // A stack packed by viewer.py: row(i) is an array with null where there is no value.
  function unpack(held) {
    const text = atob(held.data), bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    const codes = held.bits === 16 ? new Uint16Array(bytes.buffer) : bytes;
    const none = held.bits === 16 ? 65535 : 255;
    return {
      low: held.low, high: held.low + held.step * (none - 1), n: held.n,
      row(i) {
        const out = new Array(held.n);
        for (let j = 0; j < held.n; j++) {
          const code = codes[i * held.n + j];
          out[j] = code === none ? null : held.low + code * held.step;
        }
        return out;
      },
    };
  }

  function layout(x, y, more) {
    const axis = { showline: true, mirror: true, ticks: "inside", linecolor: "#000", zeroline: false, gridcolor: "#eeeeee", exponentformat: "none" };
    return Object.assign({
      margin: { l: 62, r: 12, t: 34, b: 42 }, font: { size: 12, family: "system-ui, DejaVu Sans, sans-serif" },
      separators: ".", showlegend: true, legend: { x: 1, xanchor: "right", y: 1, font: { size: 10 }, bgcolor: "rgba(255,255,255,0.7)" }, paper_bgcolor: "#fff", plot_bgcolor: "#fff", hovermode: "x",
      xaxis: Object.assign({ title: { text: x, standoff: 6 } }, axis),
      yaxis: Object.assign({ title: { text: y, standoff: 4 } }, axis),
    }, more || {});
  }

  function line(x, y, color, name, width, dash) {
    return { x: x, y: y, mode: "lines", name: name, line: { color: color, width: width || 1.6, dash: dash || "solid" }, hovertemplate: "%{y:.4f}" };
  }

  function bounds(stacks, floor) {
    let low = Math.min(...stacks.map((s) => s.low)), high = Math.max(...stacks.map((s) => s.high));
    if (floor !== undefined) low = floor;
    const room = 0.05 * (high - low);
    return [floor === undefined ? low - room : low, high + room];
  }

  const band = (range) => [{
    type: "rect", xref: "x", yref: "paper", x0: range[0], x1: range[1], y0: 0, y1: 1, fillcolor: "#000", opacity: 0.05, line: { width: 0 },
  }];
  const ranged = (made, range, shapes) => { made.yaxis.range = range; made.shapes = shapes; return made; };
  const sup = (n) => "⁰¹²³⁴⁵"[n];
  const weight = (n) => (n === 0 ? "χ(k)" : "k" + (n > 1 ? sup(n) : "") + "χ(k) (Å⁻" + (n > 1 ? sup(n) : "¹") + ")");

  class Viewer {
    constructor(root, v) {
      this.root = root;
      this.v = v;
      for (const name of ["norm", "chi", "fit", "chir", "chirfit", "misfit", "map"]) this[name] = unpack(v[name]);
      this.paths = v.paths.map((p) => ({ name: p.name, curves: unpack(p.curves) }));
      this.lines = v.lines && LINES.map(([name, color, shown]) => ({ color: color, shown: shown, curves: unpack(v.lines[name]) }));
      this.plots = {};
      for (const name of ["lines", "xanes", "chik", "chir", "map", "trends"]) this.plots[name] = root.querySelector("." + name);
      this.slider = root.querySelector("input");
      this.output = root.querySelector("output");
      this.slider.max = v.labels.length - 1;
      root.classList.toggle("single", v.labels.length === 1);
      if (v.total > v.labels.length) {
        root.querySelector(".thinned").textContent =
          " The slider holds " + v.labels.length + " of " + v.total + " spectra, evenly chosen.";
      }
      this.slider.addEventListener("input", () => this.wish(Number(this.slider.value)));
      root.querySelector(".play").addEventListener("click", () => this.play());
    }

    draw() {
      if (this.drawn) return;
      this.drawn = true;
      const v = this.v, P = Plotly.newPlot;
      if (this.lines) {
        P(this.plots.lines, this.lines.map((l) => line(v.lines.energy, l.curves.row(0), l.color, l.shown, 1.3)),
          ranged(layout("Energy (eV)", "μ(E)", { legend: { x: 1, xanchor: "right", y: 0, font: { size: 10 } } }), bounds(this.lines.slice(0, 1).map((l) => l.curves)), []), CONFIG);
      } else { this.plots.lines.remove(); delete this.plots.lines; }
      P(this.plots.xanes, [line(v.energy, this.norm.row(0), QUIET, "first", 1), line(v.energy, this.norm.row(0), DATA, "μ(E)")],
        ranged(layout("Energy (eV)", "Normalised μ(E)", { showlegend: v.labels.length > 1, legend: { x: 1, xanchor: "right", y: 0, font: { size: 10 } } }), bounds([this.norm]), []), CONFIG);
      this.inK(this.plots.chik, 0);
      this.inR(this.plots.chir, 0);
      P(this.plots.map, [{
        type: "heatmap", x: v.mapk, y: v.mapr, z: this.square(0), colorscale: "Viridis", zmin: 0, zmax: this.map.high, zsmooth: "best",
        colorbar: { title: { text: "|W| (Å<sup>−" + (v.kweight + 0.5) + "</sup>)", side: "right" }, thickness: 10, outlinewidth: 0 },
        hovertemplate: "k %{x:.2f}, R %{y:.2f}: %{z:.3f}<extra></extra>",
      }], layout("k (Å⁻¹)", "R (Å),<br>not corrected for phase", { hovermode: "closest", margin: { l: 62, r: 4, t: 34, b: 42 } }), CONFIG);
      this.trends();
      this.words(0);
    }

    // chi(k) of row i into a place of the page: data, fit, difference
    inK(place, i, more) {
      const v = this.v;
      Plotly.newPlot(place, [line(v.k, this.chi.row(i), DATA, "data"), line(v.k, this.fit.row(i), FIT, "fit"), line(v.k, this.residual(i), QUIET, "difference", 1)],
        ranged(layout("k (Å⁻¹)", weight(v.kweight), Object.assign({ legend: ABOVE }, more)), this.kbounds(), band(v.krange)), CONFIG);
    }

    // |chi(R)| of row i: data, fit, difference and each path
    inR(place, i, more) {
      const v = this.v;
      const paths = this.paths.map((p, j) => line(v.r, p.curves.row(i), COLORS[j % COLORS.length], p.name, 1.1, "dash"));
      Plotly.newPlot(place, [line(v.r, this.chir.row(i), DATA, "data"), line(v.r, this.chirfit.row(i), FIT, "fit"), line(v.r, this.misfit.row(i), QUIET, "difference", 1), ...paths],
        ranged(layout("R (Å), not corrected for phase", "|χ(R)| (Å⁻" + sup(v.kweight + 1) + ")", more), bounds([this.chir, this.chirfit], 0), band(v.rrange)), CONFIG);
    }

    // On paper there is no slider: every other row's fit below the figures, of a long run some rows, evenly chosen
    sheet() {
      const n = this.v.labels.length, shown = Math.min(n, MOST_PRINTED);
      const rows = [...new Set(Array.from({ length: shown }, (_, j) => Math.round(j * (n - 1) / Math.max(1, shown - 1))))];
      this.printed = document.createElement("div");
      this.printed.className = "printed";
      for (const i of rows.filter((row) => row !== Number(this.slider.value))) {
        const pair = document.createElement("figure"), name = document.createElement("figcaption"), plots = document.createElement("div");
        name.textContent = this.v.rows[i] + " of " + this.v.total + ": " + this.v.labels[i];
        plots.className = "plots";
        pair.append(name, plots);
        this.printed.append(pair);
        this.root.append(this.printed);
        for (const draw of [this.inK, this.inR]) {
          const place = document.createElement("div");
          plots.append(place);
          draw.call(this, place, i, { width: HALF, height: 170, showlegend: false, margin: { l: 62, r: 12, t: 6, b: 38 } });
        }
      }
    }

    // data - fit, drawn below the curves
    residual(i) {
      const chi = this.chi.row(i), fit = this.fit.row(i), low = bounds([this.chi, this.fit])[0];
      return chi.map((y, j) => (y === null || fit[j] === null ? null : low + y - fit[j]));
    }

    kbounds() {
      const [low, high] = bounds([this.chi, this.fit]);
      return [low - 0.2 * (high - low), high];
    }

    square(i) {
      const flat = this.map.row(i), n = this.v.mapk.length, out = [];
      for (let j = 0; j < this.v.mapr.length; j++) out.push(flat.slice(j * n, (j + 1) * n));
      return out;
    }

    trends() {
      const t = this.v.trends, n = t.of.length, traces = [];
      // of a single spectrum the values below say all
      if (!n || t.x.length < 2) { this.plots.trends.remove(); delete this.plots.trends; return; }
      const lay = layout(this.v.xlabel, "", { showlegend: false, hovermode: "x unified", margin: { l: 80, r: 12, t: 34, b: 42 } });
      const gap = 0.025, height = (1 - gap * (n - 1)) / n;
      t.of.forEach((p, i) => {
        const a = i === 0 ? "" : String(i + 1), lost = p.lost.map((b) => b);
        const good = p.values.map((y, j) => (lost[j] ? null : y)), gone = p.values.map((y, j) => (lost[j] ? y : null));
        const many = p.values.length > 150;
        traces.push({
          x: t.x, y: good, yaxis: "y" + a, mode: "markers", name: p.name, marker: { color: BLUE, size: many ? 3 : 5 },
          error_y: { type: "data", array: p.errors, color: "rgba(0,114,178,0.35)", thickness: 1, width: 0 },
        });
        traces.push({ x: t.x, y: gone, yaxis: "y" + a, mode: "markers", name: p.name + " (not determined)", hoverinfo: "skip",
          marker: { color: "#fff", size: many ? 3 : 5, line: { color: QUIET, width: 1 } } });
        const top = 1 - i * (height + gap);
        const tiny = good.every((v) => v === null || Math.abs(v) < 1e-3); // partial pressures; not edge energies
        lay["yaxis" + a] = Object.assign({}, lay.yaxis, {
          domain: [Math.max(0, top - height), top], title: { text: p.name + (p.unit ? "<br>(" + p.unit + ")" : ""), font: { size: 11 } }, nticks: 4, exponentformat: tiny ? "power" : "none",
        });
        const known = good.filter((y) => y !== null).sort((a, b) => a - b);
        if (known.length > 4) {
          // a few wild values must not set the scale
          const low = known[Math.floor(0.01 * known.length)], high = known[Math.ceil(0.99 * known.length) - 1];
          const errors = p.errors.filter((e) => e !== null).sort((a, b) => a - b), error = errors.length ? errors[Math.floor(errors.length / 2)] : 0;
          const room = 0.15 * (high - low) + 1.2 * error || 1;
          lay["yaxis" + a].range = [low - room, high + room];
        }
      });
      lay.xaxis.anchor = n > 1 ? "y" + n : "y";
      lay.shapes = this.marks(0);
      lay.height = 76 + 92 * n;
      lay.xaxis.mirror = false;
      if (this.v.xlabel === "Row" && t.x.length <= 20) {
        Object.assign(lay.xaxis, { tickvals: t.x, ticktext: this.v.labels, title: { text: "" } });
      }
      Plotly.newPlot(this.plots.trends, traces, lay, CONFIG);
    }

    wish(i) {
      // one redraw a frame however fast the slider moves
      this.wanted = i;
      if (this.waiting) return;
      this.waiting = true;
      requestAnimationFrame(() => { this.waiting = false; this.show(this.wanted); });
    }

    show(i) {
      const v = this.v;
      Plotly.restyle(this.plots.xanes, { y: [this.norm.row(i)] }, [1]);
      Plotly.restyle(this.plots.chik, { y: [this.chi.row(i), this.fit.row(i), this.residual(i)] }, [0, 1, 2]);
      const inR = [this.chir, this.chirfit, this.misfit, ...this.paths.map((p) => p.curves)].map((c) => c.row(i));
      Plotly.restyle(this.plots.chir, { y: inR }, inR.map((_, j) => j));
      if (this.lines) Plotly.restyle(this.plots.lines, { y: this.lines.map((l) => l.curves.row(i)) }, this.lines.map((_, j) => j));
      Plotly.restyle(this.plots.map, { z: [this.square(i)] }, [0]);
      // shapes alone are drawn anew, not the points and their errors
      if (this.plots.trends) Plotly.relayout(this.plots.trends, { shapes: this.marks(i) });
      this.words(i);
    }

    // Where the trends stand at a row: a line across all, a ring on each
    marks(i) {
      const x = this.v.x[i], size = 6;
      const across = { type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: { color: FIT, width: 1, dash: "dot" } };
      const rings = this.v.now.map((p, j) => ({
        type: "circle", xref: "x", yref: "y" + (j === 0 ? "" : j + 1), xsizemode: "pixel", ysizemode: "pixel", xanchor: x, yanchor: p.values[i],
        x0: -size, x1: size, y0: -size, y1: size, line: { color: FIT, width: 2 },
      }));
      return x === null ? [] : [across, ...rings.filter((s) => s.yanchor !== null)];
    }

    words(i) {
      const v = this.v;
      this.slider.value = i;
      this.root.dataset.row = i;
      const status = v.status[i] === "ok" ? "" : ", " + v.status[i];
      const where = v.xlabel === "Row" || v.x[i] === null ? "" : ", " + v.xlabel.replace(/ \((.*)\)/, " ") + Number(v.x[i]).toPrecision(4) + " " + ((/\((.*)\)/.exec(v.xlabel) || ["", ""])[1]);
      this.output.textContent = v.rows[i] + " of " + v.total + ": " + v.labels[i] + where + status;
      this.values(i);
    }

    values(i) {
      const body = this.root.querySelector("table.now tbody"), row = document.createElement("tr");
      this.v.trends.of.forEach((p, j) => {
        const cell = document.createElement("td"), name = document.createElement("span");
        name.textContent = p.name + (p.unit ? " (" + p.unit + ")" : "");
        const value = this.v.now[j].values[i], error = this.v.now[j].errors[i];
        cell.append(name, value === null ? "-" : paper(value, error));
        row.append(cell);
      });
      body.replaceChildren(row);
    }

    play() {
      if (this.timer) { clearInterval(this.timer); this.timer = null; return; }
      const step = Math.max(1, Math.round(this.v.labels.length / 120));
      this.timer = setInterval(() => this.show((Number(this.slider.value) + step) % this.v.labels.length), 120);
    }
  }

  // A value with its error to the digits that the error allows: 1.971 ± 0.006
  function paper(value, error) {
    if (error === null || !(error > 0)) return Number(value).toPrecision(5);
    const lead = Number(error.toExponential(0)[0]);
    const digits = Math.max(0, -Math.floor(Math.log10(error)) + (lead < 3 ? 1 : 0));
    return value.toFixed(Math.min(digits, 12)) + " ± " + error.toFixed(Math.min(digits, 12));
  }

  const all = [...document.querySelectorAll(".viewer")].map((root) => new Viewer(root, viewers[root.dataset.viewer]));
  // What is not in sight is drawn when it comes near, or when the page is printed
  const watch = new IntersectionObserver((seen) => seen.forEach((s) => {
    if (s.isIntersecting) { watch.unobserve(s.target); all.find((v) => v.root === s.target).draw(); }
  }), { rootMargin: "600px" });
  all.forEach((v, i) => (i === 0 ? v.draw() : watch.observe(v.root)));
  // relayout draws at once, a resize only in the next frame, too late for the printer
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((d) => (d.open = true));
    all.forEach((v) => {
      v.draw();
      for (const [name, plot] of Object.entries(v.plots)) {
        Plotly.relayout(plot, name === "trends" ? { width: PAGE } : { width: HALF, height: 225 });
      }
      v.sheet();
    });
  });
  window.addEventListener("afterprint", () => all.forEach((v) => {
    v.printed.remove();
    for (const [name, plot] of Object.entries(v.plots)) {
      Plotly.relayout(plot, name === "trends" ? { autosize: true, width: null } : { autosize: true, width: null, height: null });
    }
  }));
  document.body.dataset.ready = String(Math.round(performance.now()));
})();
