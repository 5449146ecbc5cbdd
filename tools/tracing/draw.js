'use strict';
// What the canvases show. Every picture costs a few searches for each of its columns, however many events lie there.

const STATE_COLOURS = {'running': '#3f9b4f', 'could run': '#f0b429', 'system call': '#8d6cc9', 'before the trace': '#e3e6eb'};
const WAIT_COLOURS = [
  [/Mutex|Lock|semacquire|sema/i, ['#d6393f', '#e8747a', '#a81e35']],
  [/Cond/, ['#c2417c']],
  [/WaitGroup/, ['#b98a5e']],
  [/chan send/, ['#2a78c2']],
  [/chan receive/, ['#63a4e0']],
  [/select/, ['#4fb3bf']],
  [/sleep/, ['#b4bcc8']],
  [/IO wait|poll/, ['#d3dae3']],
];
const FUNCTION_COLOURS = ['#4e79a7', '#f28e2b', '#59a14f', '#e15759', '#76b7b2', '#edc948', '#b07aa1', '#ff9da7', '#9c755f',
                          '#86bcb6', '#d37295', '#a0cbe8', '#8cd17d', '#b6992d', '#499894', '#fabfd2'];
const FONT = '11px system-ui, "DejaVu Sans", sans-serif';
const LABEL = 128;  // pixels at the left for the names of rows
const MARK = '#111a2b';

class Colours {
  constructor(trace) {
    this.waits = new Map();
    const used = new Map();
    for (const s of trace.states) {
      if (STATE_COLOURS[s.name]) continue;
      const found = WAIT_COLOURS.find(([pattern]) => pattern.test(s.name));
      const k = used.get(found) ?? 0;
      used.set(found, k + 1);
      this.waits.set(s.name, found && k < found[1].length ? found[1][k] : `hsl(${(k * 67 + 20) % 360} 22% 68%)`);
    }
    // The functions that ran longest get the colours that differ most.
    const ran = new Float64Array(trace.names.length);
    for (let i = 0; i < trace.turn_t.length; ++i) ran[trace.turn_name[i]] += trace.turn_e[i] - trace.turn_t[i];
    const order = [...ran.keys()].filter(n => ran[n] > 0).sort((a, b) => ran[b] - ran[a]);
    this.functions = new Map(order.map((n, i) => [n, FUNCTION_COLOURS[i % FUNCTION_COLOURS.length]]));
  }
  state(name) { return STATE_COLOURS[name] ?? this.waits.get(name) ?? '#c5ccd6'; }
  turn(name) { return this.functions.get(name) ?? '#9aa4b2'; }
}

// The rows of the view, from top to bottom: {kind, top, height, ...}.
function layOut(trace, goroutines) {
  const rows = [];
  let top = 22;
  const add = (kind, height, more = {}) => {
    rows.push({kind, top, height, ...more});
    top += height + 4;
  };
  add('states', 96, {label: 'goroutines', note: 'by state'});
  if (trace.queued.most > 0) add('steps', 34, {label: 'run queues', note: 'of all processors', steps: trace.queued, colour: '#f0b429'});
  if (trace.calls.most > 0) add('steps', 34, {label: 'system calls', note: 'threads in them', steps: trace.calls, colour: '#8d6cc9'});
  top += 6;
  for (const lane of trace.lanes) {
    add('lane', 34, {lane, label: lane.p === 0xFFFF ? 'without P' : 'P' + lane.p});
    if (lane.queue.most > 0) {
      top -= 4;
      add('steps', 14, {steps: lane.queue, colour: '#f0b429', small: true, label: 'queue'});
    }
  }
  top += 8;
  trace.meta.tracks.forEach((name, i) => add('said', 16, {track: i, label: name}));
  rows.goroutinesAt = top;
  for (const g of goroutines) add('goroutine', 14, {g, label: trace.label(trace.goids[g])});
  rows.height = top + 8;
  return rows;
}

class Painter {
  constructor(trace, colours) {
    this.trace = trace;
    this.colours = colours;
  }

  // Sees to it that the canvas has the pixels of the screen; the context draws in CSS pixels.
  prepare(canvas, height) {
    const ratio = window.devicePixelRatio || 1, width = canvas.parentElement.clientWidth;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.height = height + 'px';
    }
    const c = canvas.getContext('2d');
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, width, height);
    c.font = FONT;
    c.textBaseline = 'middle';
    return {c, width};
  }

  // The whole trace, small, with the part that is shown.
  map(canvas, view) {
    const {c, width} = this.prepare(canvas, 44);
    this.states(c, {top: 0, height: 44}, {from: 0, to: this.trace.duration, x0: 0, x1: width});
    const scale = width / this.trace.duration;
    c.fillStyle = '#ffffffb0';
    c.fillRect(0, 0, view.from * scale, 44);
    c.fillRect(view.to * scale, 0, width, 44);
    c.strokeStyle = '#1667c7';
    c.lineWidth = 2;
    c.strokeRect(view.from * scale, 1, Math.max((view.to - view.from) * scale, 2), 42);
  }

  view(canvas, rows, view) {
    const {c, width} = this.prepare(canvas, rows.height);
    const area = {from: view.from, to: view.to, x0: LABEL, x1: width};
    this.ruler(c, area, rows.height);
    for (const row of rows) {
      c.globalAlpha = 1;
      c.fillStyle = '#1d2430';
      c.textAlign = 'left';
      this.text(c, row.label, 6, row.top + (row.note ? row.height / 2 - 7 : row.height / 2), LABEL - 10, row.small ? '#6b7482' : '#1d2430');
      if (row.note) this.text(c, row.note, 6, row.top + row.height / 2 + 7, LABEL - 10, '#6b7482');
      if (row.kind === 'states') this.states(c, row, area);
      if (row.kind === 'steps') this.steps(c, row, area);
      if (row.kind === 'lane') this.lane(c, row, area, view);
      if (row.kind === 'said') this.said(c, row, area);
      if (row.kind === 'goroutine') this.goroutine(c, row, area, view);
    }
    this.arrow(c, rows, area, view);
    if (view.marked) {
      c.fillStyle = '#1667c722';
      c.fillRect(view.marked[0], 0, view.marked[1] - view.marked[0], rows.height);
    }
  }

  text(c, text, x, y, room, colour) {
    c.fillStyle = colour;
    let s = text;
    if (c.measureText(s).width > room) {
      let n = Math.floor(s.length * room / c.measureText(s).width);
      while (n > 1 && c.measureText(s.slice(0, n) + '…').width > room) --n;
      if (n < 2) return;
      s = s.slice(0, n) + '…';
    }
    c.fillText(s, x, y);
  }

  ruler(c, area, height) {
    const span = area.to - area.from, width = area.x1 - area.x0;
    let step = 10 ** Math.floor(Math.log10(span / (width / 90)));
    for (const k of [1, 2, 5, 10]) {
      if (span / (step * k) <= width / 90) { step *= k; break; }
    }
    c.textAlign = 'left';
    for (let t = Math.ceil(area.from / step) * step; t < area.to; t += step) {
      const x = area.x0 + (t - area.from) / span * width;
      c.fillStyle = '#eef1f5';
      c.fillRect(Math.round(x), 18, 1, height);
      c.fillStyle = '#6b7482';
      const [unit, name] = span >= 2e9 ? [1e9, ' s'] : span >= 2e6 ? [1e6, ' ms'] : [1e3, ' µs'];
      const places = Math.max(0, Math.ceil(-Math.log10(step / unit) - 1e-9));
      const text = (t / unit).toFixed(places) + name;
      if (x + c.measureText(text).width + 4 < area.x1) c.fillText(text, Math.round(x) + 3, 9);
    }
  }

  // Goroutines by state, one upon the other; each column is the mean of its stretch.
  states(c, row, area) {
    const {from, to, x0, x1} = area, n = Math.max(1, Math.floor(x1 - x0)), per = (to - from) / n;
    const shown = this.trace.states.filter(s => s.name !== 'before the trace');
    const sums = new Float64Array(n), layers = [];
    for (const s of shown) {
      const means = new Float64Array(n);
      let last = s.steps.until(from);
      for (let x = 0; x < n; ++x) {
        const next = s.steps.until(from + (x + 1) * per);
        sums[x] += means[x] = Math.max(0, (next - last) / per);
        last = next;
      }
      layers.push(means);
    }
    const most = Math.max(1, sums.reduce((a, b) => Math.max(a, b), 0));
    const base = new Float64Array(n).fill(row.top + row.height);
    layers.forEach((means, i) => {
      c.fillStyle = this.colours.state(shown[i].name);
      for (let x = 0; x < n; ++x) {
        const h = means[x] / most * row.height;
        if (h <= 0) continue;
        c.fillRect(x0 + x, base[x] - h, 1, h);
        base[x] -= h;
      }
    });
    if (x0 > 0) this.scale(c, row, most);
  }

  scale(c, row, most) {
    c.textAlign = 'right';
    c.fillStyle = '#6b7482';
    c.fillText(most >= 10 ? most.toFixed(0) : most.toFixed(1), LABEL - 4, row.top + 6);
    c.textAlign = 'left';
  }

  steps(c, row, area) {
    const {from, to, x0, x1} = area, n = Math.floor(x1 - x0), per = (to - from) / n;
    const means = new Float64Array(n), tops = new Float64Array(n);
    let most = 1, last = row.steps.until(from);
    for (let x = 0; x < n; ++x) {
      const next = row.steps.until(from + (x + 1) * per);
      means[x] = Math.max(0, (next - last) / per);
      tops[x] = row.steps.greatest(from + x * per, from + (x + 1) * per, 16);
      most = Math.max(most, tops[x]);
      last = next;
    }
    const bottom = row.top + row.height;
    for (const [values, alpha] of [[tops, 0.35], [means, 1]]) {
      c.globalAlpha = alpha;
      c.fillStyle = row.colour;
      for (let x = 0; x < n; ++x) {
        const h = Math.min(values[x] / most, 1) * row.height;
        if (h > 0) c.fillRect(x0 + x, bottom - h, 1, h);
      }
    }
    c.globalAlpha = 1;
    c.fillStyle = '#d9dee6';
    c.fillRect(x0, bottom, x1 - x0, 1);
    if (!row.small) this.scale(c, row, most);
  }

  // f(first row, one past the last, x, width) for what is seen of sorted stretches: each that is a pixel wide, or those of a pixel.
  stretches(t, e, area, f) {
    const {from, to, x0, x1} = area, scale = (x1 - x0) / (to - from);
    let i = above(e, from);
    while (i < t.length && t[i] < to) {
      const x = x0 + Math.max(0, (t[i] - from) * scale), wide = (e[i] - Math.max(t[i], from)) * scale;
      if (wide >= 1) {
        f(i, i + 1, x, Math.min(wide, x1 - x));
        ++i;
        continue;
      }
      const pixel = Math.floor(x) + 1;
      // Past the short ones of this pixel: one that is wide begins anew.
      let next = Math.max(i + 1, above(e, from + (pixel - x0) / scale, i));
      f(i, next, Math.floor(x), 1);
      i = next;
    }
  }

  lane(c, row, area, view) {
    const {lane, top, height} = row, trace = this.trace, scale = (area.x1 - area.x0) / (area.to - area.from);
    c.fillStyle = '#f3f5f8';
    c.fillRect(area.x0, top, area.x1 - area.x0, height);
    this.stretches(lane.t, lane.e, area, (i, k, x, wide) => {
      const turn = lane.rows[k - i > 1 ? (i + k) >> 1 : i];
      const lit = view.isLit(trace.turn_of[turn]);
      // A pixel of many: as pale as the P was idle.
      const share = k - i > 1 ? Math.min(1, (lane.busy[k] - lane.busy[i]) * scale) : Math.min(1, wide);
      c.globalAlpha = (lit ? 1 : 0.18) * Math.max(0.12, share);
      c.fillStyle = this.colours.turn(trace.turn_name[turn]);
      c.fillRect(x, top, Math.max(wide, 1), height);
      if (wide < 6) return;
      c.globalAlpha = lit ? 0.5 : 0.1;
      c.fillStyle = '#fff';
      c.fillRect(x, top, 1, height);
      if (wide < 36) return;
      c.globalAlpha = lit ? 1 : 0.4;
      this.text(c, trace.label(trace.turn_g[turn]), x + 4, top + 10, wide - 8, '#0b1220');
      if (k - i === 1 && wide > 90) this.text(c, timeText(lane.e[i] - lane.t[i]) + ', ' + trace.names[trace.turn_why[turn]], x + 4, top + 22, wide - 8, '#0b122099');
    });
    c.globalAlpha = 1;
    for (const [what, colour] of [[lane.calls, '#5b3a9b'], [lane.stops, '#c00']]) {
      c.fillStyle = colour;
      this.stretches(what.t, what.e, area, (i, k, x, wide) => c.fillRect(x, top + height - 5, Math.max(wide, 1), 5));
    }
    if (view.turn >= 0 && trace.turn_p[view.turn] === lane.p) {
      const x = area.x0 + (trace.turn_t[view.turn] - area.from) * scale, wide = (trace.turn_e[view.turn] - trace.turn_t[view.turn]) * scale;
      if (x + wide > area.x0 && x < area.x1) {
        c.strokeStyle = MARK;
        c.lineWidth = 2;
        c.strokeRect(Math.max(x, area.x0), top + 1, Math.max(wide, 2), height - 2);
      }
    }
  }

  goroutine(c, row, area, view) {
    const {from, to, x0, x1} = area, per = (to - from) / (x1 - x0), trace = this.trace;
    let x = x0, drawn = 0;
    while (x < x1) {
      const at = from + (x - x0 + 0.5) * per, s = trace.stateAt(row.g, at);
      const end = Math.min(x1, Math.max(x + 1, x0 + Math.floor((s.to - from) / per - 0.5) + 1));
      if (s.kind !== 'none') {
        const name = s.kind === 'waiting' ? trace.names[trace.gap_r[s.gap]] : s.kind;
        c.fillStyle = this.colours.state(name === 'go' ? 'could run' : name);
        c.fillRect(x, row.top, end - x, row.height);
        if (end - x > 70 && ++drawn < 200) this.text(c, (s.kind === 'waiting' ? name + ' ' : '') + timeText(s.to - s.from), x + 4, row.top + row.height / 2, end - x - 8, '#0b1220b0');
      }
      x = end;
    }
    if (view.goroutine === row.g) {
      c.strokeStyle = MARK;
      c.lineWidth = 1.5;
      c.strokeRect(1, row.top - 1, LABEL - 4, row.height + 2);
    }
  }

  said(c, row, area) {
    const trace = this.trace, scale = (area.x1 - area.x0) / (area.to - area.from);
    row.rows ??= [...trace.said_t.keys()].filter(i => trace.said_track[i] === row.track);
    let last = -1;
    for (const i of row.rows) {
      const t = trace.said_t[i], e = trace.said_e[i];
      if (e < area.from || t > area.to) continue;
      const x = Math.max(area.x0, area.x0 + (t - area.from) * scale), wide = Math.min(area.x1, area.x0 + (e - area.from) * scale) - x;
      if (x + wide < last) continue;
      last = wide < 1 ? x + 1 : -1;
      const inset = Math.min(trace.said_level[i] * 3, 9);
      c.fillStyle = e > t ? ['#7da7d9', '#9cc3a5', '#e0b973', '#cfa3cf'][trace.said_level[i] % 4] : '#1d2430';
      c.fillRect(x, row.top + inset, Math.max(wide, e > t ? 1 : 2), row.height - inset);
      if (wide > 36) this.text(c, trace.names[trace.said_name[i]], x + 4, row.top + row.height / 2 + inset / 2, wide - 8, '#0b1220');
    }
  }

  // From who woke the selected turn to that turn.
  arrow(c, rows, area, view) {
    if (view.turn < 0) return;
    const trace = this.trace, wake = trace.turn_wake[view.turn];
    if (wake < 0) return;
    const rowOf = p => rows.find(r => r.kind === 'lane' && r.lane.p === p);
    const a = rowOf(trace.wake_p[wake]), b = rowOf(trace.turn_p[view.turn]);
    if (!a || !b) return;
    const scale = (area.x1 - area.x0) / (area.to - area.from), x = t => area.x0 + (t - area.from) * scale;
    const xa = x(trace.wake_t[wake]), xb = x(trace.turn_t[view.turn]), ya = a.top + a.height / 2, yb = b.top + b.height / 2;
    if (Math.max(xa, xb) < area.x0 || Math.min(xa, xb) > area.x1) return;
    c.save();
    c.beginPath();
    c.rect(area.x0, 0, area.x1 - area.x0, rows.height);
    c.clip();
    c.strokeStyle = c.fillStyle = MARK;
    c.lineWidth = 1.5;
    c.beginPath();
    c.moveTo(xa, ya);
    c.bezierCurveTo(xa + 20, ya, xb - 20, yb, xb, yb);
    c.stroke();
    c.beginPath();
    c.moveTo(xb, yb);
    c.lineTo(xb - 7, yb - 4);
    c.lineTo(xb - 7, yb + 4);
    c.fill();
    c.restore();
  }
}
