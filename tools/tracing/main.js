'use strict';
// The page: what is shown, and what keys, mouse and search do to it.

const LANES = 24;  // goroutines with rows of their own

class Page {
  constructor(trace) {
    this.trace = trace;
    this.colours = new Colours(trace);
    this.painter = new Painter(trace, this.colours);
    this.canvas = document.getElementById('view');
    this.mapCanvas = document.getElementById('map');
    this.find = document.getElementById('find');
    this.tip = document.getElementById('tip');
    this.help = document.getElementById('help');
    this.found = null;  // of goroutines: whether each is what was searched for
    this.view = {from: 0, to: trace.duration, goroutine: -1, turn: -1, marked: null, isLit: g => this.isLit(g)};
    this.panels = new Panels(document.getElementById('side'), trace, this.colours, (what, id) => this.go(what, id));
    const s = trace.meta.summary;
    document.getElementById('program').textContent = trace.meta.program;
    document.getElementById('facts').textContent = `${timeText(trace.duration)}, ${s.events.toLocaleString('en')} events, ${s.goroutines.toLocaleString('en')} goroutines, ${s.turns.toLocaleString('en')} turns` +
      (trace.meta.truncated ? ' · the file ends in the middle' : '') + (s.lost ? ` · ${s.lost.toLocaleString('en')} events were lost` : '');
    this.fromAddress();
    this.measureNow();
    this.listen();
  }

  isLit(g) {
    if (this.found) return this.found[g] === 1;
    return this.view.goroutine < 0 || this.view.goroutine === g;
  }

  // ---- what is shown ----

  set(from, to) {
    const whole = this.trace.duration, span = Math.min(Math.max(to - from, 50), whole);
    from = Math.min(Math.max(from, 0), whole - span);
    this.view.from = from;
    this.view.to = from + span;
    this.draw();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.measureNow(), 150);
  }

  draw() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = undefined;
      this.drawNow();
    });
  }

  drawNow() {
    this.rows = layOut(this.trace, this.shownGoroutines);
    this.painter.view(this.canvas, this.rows, this.view);
    this.painter.map(this.mapCanvas, this.view);
  }

  measureNow() {
    const {from, to} = this.view, m = measure(this.trace, from, to);
    this.panels.show(m);
    let all = this.found ? [...this.found.keys()].filter(g => this.found[g]) : [...m.goroutines.keys()];
    all.sort((a, b) => (m.goroutines.get(b) ?? 0) - (m.goroutines.get(a) ?? 0));
    all = all.slice(0, LANES);
    if (this.view.goroutine >= 0 && !all.includes(this.view.goroutine)) all.unshift(this.view.goroutine);
    this.shownGoroutines = all.sort((a, b) => this.trace.goids[a] - this.trace.goids[b]);
    this.drawNow();
    const hash = new URLSearchParams({from: Math.round(from), to: Math.round(to)});
    if (this.find.value) hash.set('find', this.find.value);
    if (this.view.goroutine >= 0) hash.set('goroutine', this.trace.goids[this.view.goroutine]);
    history.replaceState(null, '', '#' + hash);
  }

  fromAddress() {
    const hash = new URLSearchParams(location.hash.slice(1));
    if (hash.has('from')) {
      this.view.from = Math.max(0, Number(hash.get('from')));
      this.view.to = Math.min(this.trace.duration, Number(hash.get('to')));
    }
    if (hash.has('goroutine')) this.view.goroutine = this.trace.dense.get(Number(hash.get('goroutine'))) ?? -1;
    if (hash.has('find')) {
      this.find.value = hash.get('find');
      this.search();
    }
  }

  zoom(factor, at = (this.view.from + this.view.to) / 2) {
    const {from, to} = this.view;
    this.set(at - (at - from) * factor, at + (to - at) * factor);
  }
  move(share) {
    const by = (this.view.to - this.view.from) * share;
    this.set(this.view.from + by, this.view.to + by);
  }

  // ---- what is selected ----

  // To a turn or a wait, from a table.
  go(what, id) {
    const trace = this.trace;
    if (what === 'only') {
      this.panels.only = this.panels.only === id ? null : id;
      this.panels.show(this.panels.measured);
      return;
    }
    const [from, to] = what === 'turn' ? [trace.turn_t[id], trace.turn_e[id]] : [trace.gap_b[id], trace.gap_e[id]];
    const margin = Math.max((to - from) * 0.25, 1000);
    if (what === 'turn') this.select(trace.turn_of[id], id, null); else this.select(trace.gap_g[id], this.turnAfter(id), id);
    this.set(from - margin, to + margin);
  }

  // The turn that ends a gap; -1: none.
  turnAfter(gap) {
    const {first, rows} = this.trace.byGoroutine, g = this.trace.gap_g[gap], k = gap - g;
    return k < first[g + 1] ? rows[k] : -1;
  }

  select(g, turn, gap) {
    const trace = this.trace;
    this.view.goroutine = g;
    this.view.turn = turn;
    if (g < 0) {
      this.panels.details([]);
      this.draw();
      return;
    }
    const {first, rows} = trace.byGoroutine, lines = [['goroutine', trace.goids[g]], ['function', trace.names[trace.nameOf[g]]]];
    let ran = 0;
    for (let k = first[g]; k < first[g + 1]; ++k) ran += trace.turn_e[rows[k]] - trace.turn_t[rows[k]];
    lines.push(['ran', `${timeText(ran)} in ${first[g + 1] - first[g]} turns`]);
    if (gap !== null) {
      lines.push(['waited for', trace.names[trace.gap_r[gap]]], ['for', timeText(trace.gap_w[gap] - trace.gap_b[gap])],
                 ['ended by', trace.waker(gap)], ['ran after', timeText(trace.gap_e[gap] - trace.gap_w[gap])]);
    } else if (turn >= 0) {
      lines.push(['turn', `${timeText(trace.turn_e[turn] - trace.turn_t[turn])} on P${trace.turn_p[turn]}, at ${timeText(trace.turn_t[turn])}`],
                 ['ended', trace.names[trace.turn_why[turn]]]);
      const wake = trace.turn_wake[turn];
      if (wake >= 0) {
        const by = trace.names[trace.wake_by[wake]], who = trace.wake_from[wake] ? trace.label(trace.wake_from[wake]) : '';
        lines.push([by === 'go' ? 'created by' : 'woken by', (by === 'goroutine' || by === 'go') && who ? who : 'the ' + by],
                   ['and ran after', timeText(trace.turn_t[turn] - trace.wake_t[wake])]);
      }
    }
    this.panels.details(lines);
    document.getElementById('side').scrollTop = 0;
    this.draw();
  }

  search() {
    const text = this.find.value.trim().toLowerCase(), trace = this.trace, hits = document.getElementById('hits');
    if (!text) {
      this.found = null;
      hits.textContent = '';
    } else {
      const number = /^\d+$/.test(text) ? Number(text) : NaN;
      const names = trace.names.map(n => n.toLowerCase().includes(text));
      this.found = Uint8Array.from(trace.goids, (goid, g) => goid === number || (isNaN(number) && names[trace.nameOf[g]]) ? 1 : 0);
      const n = this.found.reduce((a, b) => a + b, 0);
      hits.textContent = n === 0 ? 'none' : n === 1 ? '1 goroutine' : n.toLocaleString('en') + ' goroutines';
    }
  }

  // To the next turn (or the one before) of what was found, or of the selected goroutine.
  step(forward) {
    const trace = this.trace, at = this.view.turn >= 0 ? trace.turn_t[this.view.turn] : this.view.from;
    const wanted = g => this.found ? this.found[g] : g === this.view.goroutine;
    let best = -1;
    for (let i = 0; i < trace.turn_t.length; ++i) {
      if (!wanted(trace.turn_of[i]) || i === this.view.turn) continue;
      const t = trace.turn_t[i];
      if (forward ? t > at && (best < 0 || t < trace.turn_t[best]) : t < at && (best < 0 || t > trace.turn_t[best])) best = i;
    }
    if (best < 0) return;
    this.select(trace.turn_of[best], best, null);
    const span = Math.min(this.view.to - this.view.from, Math.max((trace.turn_e[best] - trace.turn_t[best]) * 20, 20000));
    const middle = (trace.turn_t[best] + trace.turn_e[best]) / 2;
    this.set(middle - span / 2, middle + span / 2);
  }

  // ---- mouse and keys ----

  timeAt(x) {
    const width = this.canvas.clientWidth - LABEL;
    return this.view.from + (x - LABEL) / width * (this.view.to - this.view.from);
  }

  // What lies at a point: {text, g, turn, gap}.
  what(x, y) {
    const row = this.rows.find(r => y >= r.top && y < r.top + r.height), trace = this.trace;
    if (!row || (x < LABEL && row.kind !== 'goroutine')) return null;
    const t = this.timeAt(x), per = (this.view.to - this.view.from) / (this.canvas.clientWidth - LABEL);
    if (row.kind === 'lane') {
      const k = above(row.lane.e, t - per);
      if (k >= row.lane.t.length || row.lane.t[k] > t + per) return null;
      const i = row.lane.rows[k];
      return {text: `${trace.label(trace.turn_g[i])}\n${timeText(trace.turn_e[i] - trace.turn_t[i])}, then: ${trace.names[trace.turn_why[i]]}`, g: trace.turn_of[i], turn: i, gap: null};
    }
    if (row.kind === 'goroutine') {
      const s = trace.stateAt(row.g, t), gap = s.gap ?? null;
      const lines = [row.label];
      if (s.kind === 'waiting') lines.push(`waits ${timeText(s.to - s.from)}: ${trace.names[trace.gap_r[gap]]}`, `ended by ${trace.waker(gap)}`);
      else if (s.kind !== 'none') lines.push(`${s.kind} ${timeText(s.to - s.from)}`);
      return {text: lines.join('\n'), g: row.g, turn: s.row ?? (gap !== null ? this.turnAfter(gap) : -1), gap};
    }
    if (row.kind === 'states') {
      const lines = trace.states.map(s => [s.name, s.steps.mean(t - per / 2, t + per / 2)]).filter(([name, n]) => n > 0.004 && name !== 'before the trace');
      return {text: lines.map(([name, n]) => `${name}: ${n.toFixed(n < 10 ? 2 : 0)}`).join('\n')};
    }
    if (row.kind === 'steps') return {text: `${row.label}: ${row.steps.mean(t - per / 2, t + per / 2).toFixed(1)}, at most ${row.steps.greatest(t - per / 2, t + per / 2)}`};
    if (row.kind === 'said') {
      const i = (row.rows ?? []).findLast(i => trace.said_t[i] <= t + 2 * per && trace.said_e[i] >= t - 2 * per);
      if (i !== undefined) return {text: `${trace.names[trace.said_name[i]]}${trace.said_e[i] > trace.said_t[i] ? '\n' + timeText(trace.said_e[i] - trace.said_t[i]) : ''}`};
    }
    return null;
  }

  showTip(event) {
    const lanes = this.canvas.getBoundingClientRect(), x = event.clientX - lanes.left, y = event.clientY - lanes.top;
    const what = this.what(x, y);
    this.tip.hidden = !what || !what.text;
    if (this.tip.hidden) return;
    this.tip.textContent = what.text;
    this.tip.style.left = Math.max(0, Math.min(x + 14, lanes.width - this.tip.offsetWidth - 6)) + 'px';
    this.tip.style.top = y + 16 + 'px';
  }

  listen() {
    this.listenToKeys();
    this.listenToView();
    this.listenToMap();
    document.getElementById('fit').onclick = () => this.set(0, this.trace.duration);
    document.getElementById('help-button').onclick = () => { this.help.hidden = !this.help.hidden; };
    this.find.addEventListener('input', () => {
      this.search();
      this.measureNow();
    });
    window.addEventListener('resize', () => this.draw());
  }

  listenToView() {
    let drag = null;
    const canvas = this.canvas;
    canvas.addEventListener('wheel', event => {
      event.preventDefault();
      this.tip.hidden = true;
      const by = event.deltaY * (event.deltaMode ? 20 : 1);
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        this.move((event.deltaX || by) / 1000);
      } else {
        this.zoom(Math.exp(by / 400), this.timeAt(Math.max(event.offsetX, LABEL)));
      }
    }, {passive: false});
    canvas.addEventListener('pointerdown', event => {
      drag = {x: event.offsetX, y: event.offsetY, from: this.view.from, to: this.view.to, mark: event.shiftKey || event.offsetY < 20, moved: false};
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener('pointermove', event => {
      if (!drag) return this.showTip(event);
      const dx = event.offsetX - drag.x;
      if (Math.abs(dx) > 3) drag.moved = true;
      if (!drag.moved) return;
      this.tip.hidden = true;
      if (drag.mark) {
        this.view.marked = [Math.min(drag.x, event.offsetX), Math.max(drag.x, event.offsetX)];
        this.draw();
        return;
      }
      canvas.classList.add('dragging');
      const by = dx / (canvas.clientWidth - LABEL) * (drag.to - drag.from);
      this.set(drag.from - by, drag.to - by);
    });
    canvas.addEventListener('pointerup', event => {
      canvas.classList.remove('dragging');
      if (drag && !drag.moved) {
        const what = this.what(event.offsetX, event.offsetY);
        if (what && what.g !== undefined) this.select(what.g, what.turn, what.gap); else this.select(-1, -1, null);
      } else if (drag && drag.mark && this.view.marked) {
        const [a, b] = this.view.marked.map(x => this.timeAt(Math.max(x, LABEL)));
        this.view.marked = null;
        this.set(a, b);
      }
      drag = null;
    });
    canvas.addEventListener('pointerleave', () => { this.tip.hidden = true; });
  }

  listenToMap() {
    let drag = null;
    const map = this.mapCanvas, time = x => x / map.clientWidth * this.trace.duration;
    map.addEventListener('pointerdown', event => {
      const t = time(event.offsetX), {from, to} = this.view;
      const whole = to - from > this.trace.duration * 0.98;
      drag = {t, from, to, move: !whole && t > from && t < to};
      map.setPointerCapture(event.pointerId);
    });
    map.addEventListener('pointermove', event => {
      if (!drag) return;
      const t = time(event.offsetX);
      if (drag.move) this.set(drag.from + t - drag.t, drag.to + t - drag.t);
      else if (Math.abs(t - drag.t) > time(3)) this.set(Math.min(t, drag.t), Math.max(t, drag.t));
    });
    map.addEventListener('pointerup', () => { drag = null; });
  }

  listenToKeys() {
    const keys = {
      w: () => this.zoom(0.7), s: () => this.zoom(1 / 0.7), a: () => this.move(-0.2), d: () => this.move(0.2),
      ArrowUp: () => this.zoom(0.7), ArrowDown: () => this.zoom(1 / 0.7), ArrowLeft: () => this.move(-0.2), ArrowRight: () => this.move(0.2),
      0: () => this.set(0, this.trace.duration), n: () => this.step(true), p: () => this.step(false),
      '/': () => this.find.select(), '?': () => { this.help.hidden = !this.help.hidden; },
    };
    document.addEventListener('keydown', event => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === 'Escape') return this.letGo();
      if (event.target === this.find) {
        if (event.key === 'Enter') {
          this.find.blur();
          this.step(true);
        }
        return;
      }
      const action = keys[event.key] ?? keys[event.key.toLowerCase()];
      if (!action) return;
      event.preventDefault();
      action();
    });
  }

  letGo() {
    if (!this.help.hidden) {
      this.help.hidden = true;
    } else if (this.find.value || document.activeElement === this.find) {
      this.find.value = '';
      this.find.blur();
      this.search();
      this.measureNow();
    } else {
      this.select(-1, -1, null);
    }
  }
}

const began = performance.now();
(async () => {
  const meta = JSON.parse(document.getElementById('meta').textContent), data = document.getElementById('data');
  const columns = await loadColumns(meta, data.textContent.trim());
  data.remove();
  window.page = new Page(new Trace(meta, columns));
  document.body.dataset.ready = Math.round(performance.now());  // ms since the page was asked for
  document.body.dataset.took = Math.round(performance.now() - began);
})().catch(error => {
  document.querySelector('main').innerHTML = '<p class="failed"></p>';
  document.querySelector('.failed').textContent = 'This trace cannot be shown: ' + error.message + ' (a browser of 2023 or later is needed)';
  throw error;
});
