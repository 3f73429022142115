"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const last = data.frames.length - 1;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const images = data.images.map((source) => Object.assign(new Image(), { src: source }));
  const state = { at: 0, playing: false, speed: 1, marks: true, clock: 0, begun: 0 };

  // ---- the picture -------------------------------------------------------------------------------------

  const canvas = byId("cine");
  const pen = canvas.getContext("2d");

  /** The width in CSS pixels that the picture takes; a low window may leave it less than the canvas has. */
  function shownWidth() {
    return Math.min(canvas.clientWidth, (canvas.clientHeight * data.size[0]) / data.size[1]) || data.size[0];
  }

  function fitCanvas() {
    const [width, height] = data.size;
    const scale = Math.max(1, (shownWidth() * (window.devicePixelRatio || 1)) / width);
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }

  function draw() {
    const image = images[state.at];
    const scale = canvas.width / data.size[0];
    const css = canvas.width / shownWidth(); // pixels of the canvas in a CSS pixel
    pen.imageSmoothingQuality = "high";
    pen.clearRect(0, 0, canvas.width, canvas.height);
    if (image.complete && image.naturalWidth) pen.drawImage(image, 0, 0, canvas.width, canvas.height);
    if (!state.marks) return;
    const points = data.points[state.at].map(([x, y]) => (x === null || y === null ? null : [x * scale, y * scale]));
    const sure = data.confidence[state.at].map((value) => value !== null && value >= data.lowConfidence);
    data.segments.forEach((segment) => drawCalliper(segment, points, sure, css));
    data.landmarks.forEach((landmark, i) => points[i] && drawPoint(points[i], landmark.colour, sure[i], css));
  }

  function drawCalliper(segment, points, sure, css) {
    const [start, end] = segment.ends.map((i) => points[i]);
    if (!start || !end) return;
    const trusted = segment.ends.every((i) => sure[i]);
    const length = Math.max(Math.hypot(end[0] - start[0], end[1] - start[1]), 1e-6);
    let across = [-(end[1] - start[1]) / length, (end[0] - start[0]) / length];
    if (across[0] < 0) across = across.map((part) => -part);
    const bar = 9 * css;
    const shape = new Path2D();
    shape.moveTo(...start);
    shape.lineTo(...end);
    for (const tip of [start, end]) {
      shape.moveTo(tip[0] - across[0] * bar, tip[1] - across[1] * bar);
      shape.lineTo(tip[0] + across[0] * bar, tip[1] + across[1] * bar);
    }
    pen.globalAlpha = trusted ? 1 : 0.6;
    pen.setLineDash(trusted ? [] : [5 * css, 4 * css]);
    stroke(shape, "rgba(0,0,0,.55)", 3.4 * css);
    stroke(shape, segment.colour, 1.6 * css);
    pen.setLineDash([]);
    const text = `${segment.name} ${reading(segment)}${trusted ? "" : " ?"}`;
    pen.font = `600 ${13 * css}px system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif`;
    pen.textBaseline = "middle";
    const room = canvas.width - pen.measureText(text).width - 6 * css;
    const x = Math.min((start[0] + end[0]) / 2 + across[0] * 15 * css, room);
    const y = (start[1] + end[1]) / 2 + across[1] * 15 * css;
    pen.lineJoin = "round";
    pen.lineWidth = 3.5 * css;
    pen.strokeStyle = "rgba(0,0,0,.7)";
    pen.strokeText(text, x, y);
    pen.fillStyle = segment.colour;
    pen.fillText(text, x, y);
    pen.globalAlpha = 1;
  }

  function drawPoint(point, colour, trusted, css) {
    const disc = new Path2D();
    disc.arc(point[0], point[1], 4 * css, 0, 2 * Math.PI);
    if (!trusted) return stroke(disc, colour, 1.4 * css);
    stroke(disc, "rgba(0,0,0,.6)", 2.4 * css);
    pen.fillStyle = colour;
    pen.fill(disc);
  }

  function stroke(shape, colour, width) {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.stroke(shape);
  }

  function reading(segment) {
    const value = segment.values[state.at];
    return value === null ? "–" : `${value.toFixed(1)} ${data.unit}`;
  }

  // ---- the cursor in the curves --------------------------------------------------------------------------

  const plots = [...document.querySelectorAll("svg.curves")].map((svg, i) => makeCursor(svg, data.panels[i]));

  function makeCursor(svg, panels) {
    const add = (name, attributes) => {
      const node = document.createElementNS("http://www.w3.org/2000/svg", name);
      Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
      return svg.appendChild(node);
    };
    const line = add("line", { class: "cursor", y1: panels[0].top, y2: panels[panels.length - 1].bottom });
    const dots = panels.flatMap((panel) =>
      panel.names.map((name) => {
        const segment = data.segments.find((candidate) => candidate.name === name);
        return { panel, segment, node: add("circle", { class: `dot ${name.toLowerCase()}`, r: 4.5 }) };
      }),
    );
    return { svg, panels, line, dots };
  }

  function column(panel, moment) {
    const [low, high] = data.range;
    return panel.left + ((moment - low) / Math.max(high - low, 1e-3)) * (panel.right - panel.left);
  }

  function moveCursors() {
    const moment = data.moments[state.at];
    for (const { panels, line, dots } of plots) {
      const x = column(panels[0], moment);
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      for (const { panel, segment, node } of dots) {
        const value = segment.curve[state.at];
        node.setAttribute("visibility", value === null ? "hidden" : "visible");
        if (value === null) continue;
        node.setAttribute("cx", x);
        const share = (value - panel.low) / (panel.high - panel.low);
        node.setAttribute("cy", panel.bottom - share * (panel.bottom - panel.top));
      }
    }
  }

  function nearest(values, wanted) {
    let best = 0;
    values.forEach((value, i) => {
      if (Math.abs(value - wanted) < Math.abs(values[best] - wanted)) best = i;
    });
    return best;
  }

  function scrubPlot({ svg, panels }, event) {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    const share = (x - panels[0].left) / (panels[0].right - panels[0].left);
    go(nearest(data.moments, data.range[0] + share * (data.range[1] - data.range[0])));
  }

  // ---- which frame is shown ------------------------------------------------------------------------------

  const scrub = byId("scrub");

  function describe() {
    const frame = data.frames[state.at];
    const kind = { ed: "end-diastole", es: "end-systole" }[data.events[frame]];
    const time = data.timesKnown ? `, ${data.times[state.at].toFixed(3)} s` : "";
    return { text: `frame ${frame + 1} of ${data.frameCount}${time}`, kind };
  }

  function show(at) {
    state.at = Math.min(Math.max(at, 0), last);
    draw();
    moveCursors();
    const { text, kind } = describe();
    scrub.value = state.at;
    scrub.setAttribute("aria-valuetext", kind ? `${text}, ${kind}` : text);
    byId("where").textContent = text;
    byId("event").textContent = kind ? data.events[data.frames[state.at]].toUpperCase() : "";
    for (const segment of data.segments) {
      byId(`reading-${segment.name.toLowerCase()}`).textContent = reading(segment);
    }
  }

  /** Go to a frame because a person asked for it: playing stops, and what is shown is told. */
  function go(at) {
    pause();
    show(at);
    const { text, kind } = describe();
    byId("status").textContent = kind ? `${text}, ${kind}` : text;
  }

  function goToEvent(kind, direction) {
    for (let step = 1; step <= data.frames.length; step++) {
      const at = (state.at + direction * step + step * data.frames.length) % data.frames.length;
      if (data.events[data.frames[at]] === kind) return go(at);
    }
  }

  // ---- playing -------------------------------------------------------------------------------------------

  const gaps = data.times.slice(1).map((time, i) => time - data.times[i]);
  const usual = gaps.length ? [...gaps].sort((a, b) => a - b)[gaps.length >> 1] : 0.04;
  const start = data.times[0];
  const duration = data.times[last] - start + usual;

  function play() {
    if (last === 0) return;
    state.playing = true;
    state.begun = data.times[state.at] - start;
    state.clock = performance.now();
    byId("play").textContent = "Pause";
    requestAnimationFrame(tick);
  }

  function pause() {
    state.playing = false;
    byId("play").textContent = "Play";
  }

  function tick(now) {
    if (!state.playing) return;
    const moment = (state.begun + (Math.max(0, now - state.clock) / 1000) * state.speed) % duration;
    let low = 0;
    for (let high = last; low < high; ) {
      const middle = (low + high + 1) >> 1;
      if (data.times[middle] - start <= moment + 1e-9) low = middle;
      else high = middle - 1;
    }
    if (low !== state.at) show(low);
    requestAnimationFrame(tick);
  }

  function setSpeed(speed) {
    const playing = state.playing;
    pause();
    state.speed = speed;
    byId("speed").value = String(speed);
    if (playing) play();
  }

  function stepSpeed(direction) {
    const options = [...byId("speed").options].map((option) => Number(option.value));
    const next = options[options.indexOf(state.speed) + direction];
    if (next !== undefined) setSpeed(next);
  }

  function toggleMarks() {
    state.marks = !state.marks;
    byId("marks").setAttribute("aria-pressed", state.marks);
    draw();
  }

  // ---- what a person does --------------------------------------------------------------------------------

  const toggle = () => (state.playing ? pause() : play());
  const keys = {
    " ": toggle,
    ArrowLeft: (event) => go(state.at - (event.shiftKey ? 10 : 1)),
    ArrowRight: (event) => go(state.at + (event.shiftKey ? 10 : 1)),
    Home: () => go(0),
    End: () => go(last),
    d: (event) => goToEvent("ed", event.shiftKey ? -1 : 1),
    s: (event) => goToEvent("es", event.shiftKey ? -1 : 1),
    l: toggleMarks,
    "-": () => stepSpeed(-1),
    "+": () => stepSpeed(1),
    "=": () => stepSpeed(1),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const focused = document.activeElement;
    const own = focused && focused.matches("button, summary, select, a, .scroll");
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!keys[key] || focused.matches("select") || (own && (key === " " || focused.matches(".scroll")))) return;
    event.preventDefault();
    keys[key](event);
  });

  byId("play").addEventListener("click", toggle);
  byId("back").addEventListener("click", () => go(state.at - 1));
  byId("forward").addEventListener("click", () => go(state.at + 1));
  byId("ed").addEventListener("click", () => goToEvent("ed", 1));
  byId("es").addEventListener("click", () => goToEvent("es", 1));
  byId("marks").addEventListener("click", toggleMarks);
  byId("speed").addEventListener("change", (event) => setSpeed(Number(event.target.value)));
  scrub.addEventListener("input", () => go(Number(scrub.value)));
  canvas.addEventListener("click", toggle);
  window.addEventListener("beforeprint", pause);
  for (const plot of plots) {
    plot.svg.addEventListener("pointerdown", (event) => {
      plot.svg.setPointerCapture(event.pointerId);
      scrubPlot(plot, event);
    });
    plot.svg.addEventListener("pointermove", (event) => event.buttons & 1 && scrubPlot(plot, event));
  }

  // ---- dark and light ------------------------------------------------------------------------------------

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const themeButton = byId("theme");

  function setTheme(theme) {
    document.documentElement.dataset.theme = theme;
    themeButton.textContent = theme === "dark" ? "Light" : "Dark";
    themeButton.setAttribute("aria-label", `Switch to ${theme === "dark" ? "light" : "dark"} colours`);
  }

  themeButton.hidden = false;
  themeButton.addEventListener("click", () => {
    setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  });
  dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
  setTheme(dark.matches ? "dark" : "light");

  // ---- begin ---------------------------------------------------------------------------------------------

  for (const kind of ["ed", "es"]) byId(kind).disabled = !Object.values(data.events).includes(kind);
  if (last === 0) ["play", "back", "forward", "scrub"].forEach((id) => (byId(id).disabled = true));
  new ResizeObserver(() => {
    fitCanvas();
    draw();
  }).observe(canvas);
  fitCanvas();
  show(Math.max(0, data.frames.indexOf(data.reference)));
  Promise.all(images.map((image) => image.decode().catch(() => {}))).then(() => {
    draw();
    document.documentElement.dataset.ready = "true";
    if (!still.matches) play();
  });
})();
