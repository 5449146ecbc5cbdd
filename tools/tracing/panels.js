'use strict';
// The tables at the side: what lies in the stretch that is shown.

const BUCKETS = 40;  // of a histogram: powers of two of nanoseconds

function escapeText(s) {
  return String(s).replace(/[&<>"]/g, x => ({'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;'})[x]);
}

class Histogram {
  constructor() {
    this.counts = new Float64Array(BUCKETS);
    this.n = this.sum = this.most = 0;
  }
  add(ns) {
    ++this.counts[Math.min(BUCKETS - 1, ns < 1 ? 0 : Math.floor(Math.log2(ns)))];
    ++this.n;
    this.sum += ns;
    if (ns > this.most) this.most = ns;
  }
  // The upper end of the bucket in which the quantile lies.
  quantile(q) {
    let left = q * this.n;
    for (let b = 0; b < BUCKETS; ++b) if ((left -= this.counts[b]) <= 0) return Math.min(2 ** (b + 1), this.most);
    return this.most;
  }
}

// What the tables show of the stretch [from, to].
function measure(trace, from, to) {
  const waits = new Map(), ready = new Histogram(), longest = [], enders = new Map(), functions = new Map(), goroutines = new Map();
  const free = new Set([trace.unknown, trace.word.get('go')]);
  const {gap_b, gap_w, gap_e, gap_r, gap_k, wake_from, wake_by} = trace;
  for (let i = 0; i < gap_b.length; ++i) {
    if (gap_e[i] < from || gap_b[i] > to) continue;
    if (gap_e[i] > gap_w[i] && gap_w[i] >= from) ready.add(gap_e[i] - gap_w[i]);
    const wait = Math.min(gap_w[i], to) - Math.max(gap_b[i], from);
    if (wait <= 0 || free.has(gap_r[i])) continue;
    const r = gap_r[i], length = gap_w[i] - gap_b[i];
    let h = waits.get(r);
    if (!h) waits.set(r, h = new Histogram());
    h.add(length);
    goroutines.set(trace.gap_g[i], (goroutines.get(trace.gap_g[i]) ?? 0) + wait);
    if (longest.length < 4000 || length > longest.low) {
      longest.push(i);
      if (longest.length >= 8000) cutLongest(trace, longest);
    }
    const k = gap_k[i], who = k < 0 ? -1 : wake_from[k] && trace.dense.has(wake_from[k]) && trace.names[wake_by[k]] === 'goroutine'
        ? trace.nameOf[trace.dense.get(wake_from[k])] : -2 - wake_by[k];
    const key = r * 65536 + who;
    let e = enders.get(key);
    if (!e) enders.set(key, e = {r, who, n: 0, sum: 0, most: 0, at: i});
    ++e.n;
    e.sum += length;
    if (length > e.most) {
      e.most = length;
      e.at = i;
    }
  }
  cutLongest(trace, longest);
  for (const lane of trace.lanes) {
    for (let k = above(lane.e, from); k < lane.t.length && lane.t[k] < to; ++k) {
      const i = lane.rows[k], name = trace.turn_name[i];
      let f = functions.get(name);
      if (!f) functions.set(name, f = {name, ran: 0, turns: 0, most: 0, at: i});
      f.ran += Math.min(lane.e[k], to) - Math.max(lane.t[k], from);
      ++f.turns;
      if (lane.e[k] - lane.t[k] > f.most) {
        f.most = lane.e[k] - lane.t[k];
        f.at = i;
      }
    }
  }
  const calls = new Histogram();
  for (let i = 0; i < trace.call_t.length; ++i) {
    if (trace.call_e[i] >= from && trace.call_t[i] <= to) calls.add(trace.call_e[i] - trace.call_t[i]);
  }
  return {waits, ready, longest, enders, functions, goroutines, calls};
}

function cutLongest(trace, longest) {
  longest.sort((a, b) => trace.gap_w[b] - trace.gap_b[b] - trace.gap_w[a] + trace.gap_b[a]);
  longest.length = Math.min(longest.length, 4000);
  const last = longest[longest.length - 1];
  longest.low = longest.length < 4000 ? -1 : trace.gap_w[last] - trace.gap_b[last];
}

class Panels {
  constructor(side, trace, colours, go) {
    this.side = side;
    this.trace = trace;
    this.colours = colours;
    this.only = null;  // the wait reason that the lists are about
    side.innerHTML = '<section id="details"></section><section id="waits"></section><section id="longest"></section><section id="enders"></section><section id="functions"></section>';
    side.addEventListener('click', event => {
      const row = event.target.closest('[data-go]');
      if (row) go(...row.dataset.go.split(' ').map((x, i) => i ? Number(x) : x));
    });
  }

  section(name, html) { this.side.querySelector('#' + name).innerHTML = html; }

  show(m) {
    this.measured = m;
    const waits = [...m.waits].sort((a, b) => b[1].sum - a[1].sum);
    const parts = waits.map(([r, h]) => this.histogram(this.trace.names[r], h, 'only ' + r, this.only === r));
    if (m.ready.n) parts.push(this.histogram('could run', m.ready, null));
    if (m.calls.n) parts.push(this.histogram('system call', m.calls, null, false, ' on a P'));
    this.section('waits', '<h2>How long they waited <small>click: only these below</small></h2>' + parts.join(''));
    let k = 0;
    const canvases = this.side.querySelectorAll('#waits canvas');
    for (const [r, h] of waits) this.bars(canvases[k++], h, this.colours.state(this.trace.names[r]));
    if (m.ready.n) this.bars(canvases[k++], m.ready, this.colours.state('could run'));
    if (m.calls.n) this.bars(canvases[k++], m.calls, this.colours.state('system call'));
    this.lists();
  }

  lists() {
    const {trace, colours} = this, m = this.measured, mine = r => this.only === null || this.only === r;
    const key = r => `<span class="key" style="background:${colours.state(trace.names[r])}"></span>`;
    const about = this.only === null ? '' : ` <small>${escapeText(trace.names[this.only])}</small>`;
    const who = w => w === -1 ? 'nobody yet' : w >= 0 ? shortName(trace.names[w]) : wakerWords(trace.names[-2 - w]);
    const enders = [...m.enders.values()].filter(e => mine(e.r)).sort((a, b) => b.sum - a.sum).slice(0, 12);
    this.section('enders', `<h2>Who ended waits${about}</h2><table><tr><th style="width:34%">who<th>what<th class="n" style="width:50px">times<th class="n" style="width:62px">together<th class="n" style="width:62px">longest</tr>` +
      enders.map(e => `<tr data-go="gap ${e.at}" title="${escapeText(who(e.who))}"><td>${escapeText(who(e.who))}<td>${key(e.r)}${escapeText(trace.names[e.r])}<td class="n">${e.n}<td class="n">${timeText(e.sum)}<td class="n">${timeText(e.most)}</tr>`).join('') + '</table>');
    const longest = m.longest.filter(i => mine(trace.gap_r[i])).slice(0, 25);
    this.section('longest', `<h2>The longest waits${about}</h2><table><tr><th class="n" style="width:58px">time<th style="width:27%;padding-left:8px">who<th>what<th style="width:27%">ended by</tr>` +
      longest.map(i => `<tr data-go="gap ${i}"><td class="n">${timeText(trace.gap_w[i] - trace.gap_b[i])}<td style="padding-left:8px">${escapeText(trace.label(trace.goids[trace.gap_g[i]]))}<td>${key(trace.gap_r[i])}${escapeText(trace.names[trace.gap_r[i]])}<td>${escapeText(trace.waker(i))}</tr>`).join('') + '</table>');
    const functions = [...m.functions.values()].sort((a, b) => b.ran - a.ran).slice(0, 12);
    this.section('functions', '<h2>Who ran</h2><table><tr><th>function<th class="n" style="width:60px">turns<th class="n" style="width:66px">time<th class="n" style="width:66px">longest</tr>' +
      functions.map(f => `<tr data-go="turn ${f.at}" title="${escapeText(trace.names[f.name])}"><td><span class="key" style="background:${colours.turn(f.name)}"></span>${escapeText(shortName(trace.names[f.name]))}<td class="n">${f.turns}<td class="n">${timeText(f.ran)}<td class="n">${timeText(f.most)}</tr>`).join('') + '</table>');
  }

  histogram(name, h, go, chosen = false, more = '') {
    return `<div class="histogram"${go ? ` data-go="${go}" style="cursor:pointer${chosen ? ';background:#dde8f7' : ''}"` : ''}><div class="what"><span class="key" style="background:${this.colours.state(name)}"></span>${escapeText(name)}${more}` +
      `<small>${h.n} × ${timeText(h.sum / h.n)}</small><small>99 % below ${timeText(h.quantile(0.99))}</small></div><canvas></canvas></div>`;
  }

  bars(canvas, h, colour) {
    const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = 34;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const c = canvas.getContext('2d');
    c.scale(ratio, ratio);
    c.font = '9px system-ui, "DejaVu Sans", sans-serif';
    const first = 6, shown = 29, step = width / shown;  // 64 ns to 34 s
    const most = Math.max(...h.counts);
    for (let b = 0; b < shown; ++b) {
      let n = h.counts[b + first];
      if (b === 0) for (let i = 0; i < first; ++i) n += h.counts[i];
      if (b === shown - 1) for (let i = first + shown; i < BUCKETS; ++i) n += h.counts[i];
      const tall = n ? Math.max(1.5, n / most * 23) : 0;
      c.fillStyle = colour;
      c.fillRect(b * step, 24 - tall, step - 1, tall);
    }
    c.fillStyle = '#d0d6df';
    c.fillRect(0, 24, width, 1);
    c.fillStyle = '#6b7482';
    c.textBaseline = 'top';
    for (const [ns, text] of [[1e3, '1 µs'], [3.2e4, '32 µs'], [1e6, '1 ms'], [3.2e7, '32 ms'], [1e9, '1 s']]) {
      c.fillRect((Math.log2(ns) - first) * step, 24, 1, 3);
      c.fillText(text, (Math.log2(ns) - first) * step + 2, 26);
    }
  }

  // What was clicked on: rows of [what, text].
  details(rows) {
    this.section('details', rows.length === 0 ? '' : '<h2>Selected</h2><dl>' + rows.map(([k, v]) => `<dt>${escapeText(k)}<dd>${escapeText(v)}`).join('') + '</dl>');
  }
}
