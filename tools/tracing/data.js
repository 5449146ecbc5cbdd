'use strict';
// The columns as typed arrays, and what follows from them.

const TYPES = {B: Uint8Array, H: Uint16Array, I: Uint32Array, i: Int32Array, d: Float64Array};

// {name: typed array}: the columns lie one behind the other, compressed, in base64.
async function loadColumns(meta, base64) {
  const text = atob(base64);
  const packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; ++i) packed[i] = text.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
  const buffer = await new Response(stream).arrayBuffer();
  const columns = {};
  for (const [name, type, offset, length] of meta.columns) {
    columns[name] = new TYPES[type](buffer, offset, length);
  }
  return columns;
}

// The first index at which the sorted array is above x.
function above(sorted, x, low = 0, high = sorted.length) {
  while (low < high) {
    const mid = (low + high) >> 1;
    if (sorted[mid] <= x) low = mid + 1; else high = mid;
  }
  return low;
}

// A number that changes at moments, with its integral: its mean over any stretch costs two searches.
class Steps {
  constructor(times, values) {
    this.times = times;
    this.values = values;
    this.integral = new Float64Array(times.length);
    this.most = 0;
    for (let i = 0; i < times.length; ++i) {
      if (values[i] > this.most) this.most = values[i];
      if (i > 0) this.integral[i] = this.integral[i - 1] + values[i - 1] * (times[i] - times[i - 1]);
    }
  }
  // How many of the stretches [starts[i], ends[i]) there are at once.
  static ofStretches(starts, ends) {
    starts = new Float64Array(starts).sort();
    ends = new Float64Array(ends).sort();
    const n = starts.length, times = new Float64Array(2 * n), values = new Float32Array(2 * n);
    for (let i = 0, k = 0, at = 0; at < 2 * n; ++at) {
      times[at] = i < n && starts[i] <= ends[k] ? starts[i++] : ends[k++];
      values[at] = i - k;
    }
    return new Steps(times, values);
  }
  static sum(all) {
    const changes = [];
    for (const s of all) {
      for (let i = 0, last = 0; i < s.times.length; last = s.values[i++]) changes.push([s.times[i], s.values[i] - last]);
    }
    changes.sort((a, b) => a[0] - b[0]);
    const times = new Float64Array(changes.length), values = new Float32Array(changes.length);
    let now = 0;
    changes.forEach((c, i) => { times[i] = c[0]; values[i] = now += c[1]; });
    return new Steps(times, values);
  }
  until(t) {
    const i = above(this.times, t) - 1;
    return i < 0 ? 0 : this.integral[i] + this.values[i] * (t - this.times[i]);
  }
  mean(a, b) { return (this.until(b) - this.until(a)) / (b - a); }
  at(t) {
    const i = above(this.times, t) - 1;
    return i < 0 ? 0 : this.values[i];
  }
  // The greatest value in [a, b]; a look at so many changes at most.
  greatest(a, b, looks = 64) {
    const from = Math.max(0, above(this.times, a) - 1), to = above(this.times, b);
    const step = Math.max(1, (to - from) / looks);
    let most = 0;
    for (let i = from; i < to; i += step) most = Math.max(most, this.values[i | 0]);
    return most;
  }
}

// Indices of rows by their key, in the order of the file: those of key k are rows[first[k] .. first[k + 1]).
function group(keys, n) {
  const first = new Uint32Array(n + 1), rows = new Uint32Array(keys.length);
  for (let i = 0; i < keys.length; ++i) ++first[keys[i] + 1];
  for (let k = 0; k < n; ++k) first[k + 1] += first[k];
  const at = first.slice();
  for (let i = 0; i < keys.length; ++i) rows[at[keys[i]]++] = i;
  return {first, rows};
}

// The values of a column at some rows.
function pick(column, rows) {
  const picked = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; ++i) picked[i] = column[rows[i]];
  return picked;
}

// A growing list of stretches.
class Stretches {
  constructor(room = 1024) {
    this.starts = new Float64Array(room);
    this.ends = new Float64Array(room);
    this.n = 0;
  }
  add(start, end) {
    if (this.n === this.starts.length) {
      const more = new Stretches(this.n * 2);
      more.starts.set(this.starts);
      more.ends.set(this.ends);
      this.starts = more.starts;
      this.ends = more.ends;
    }
    this.starts[this.n] = start;
    this.ends[this.n++] = end;
  }
  steps() { return Steps.ofStretches(this.starts.subarray(0, this.n), this.ends.subarray(0, this.n)); }
}

class Trace {
  constructor(meta, columns) {
    Object.assign(this, columns);
    this.meta = meta;
    this.names = meta.names;
    this.duration = Math.max(meta.summary.duration, 1);
    this.word = new Map(meta.names.map((text, i) => [text, i]));
    this.findGoroutines();
    this.findLanes();
    this.findGaps();
    this.findSeries();
  }

  // Goroutines by small numbers, and the turns of each.
  findGoroutines() {
    const dense = new Map(), n = this.turn_g.length;
    this.goids = [];
    this.turn_of = new Uint32Array(n);
    for (let i = 0; i < n; ++i) {
      let g = dense.get(this.turn_g[i]);
      if (g === undefined) {
        dense.set(this.turn_g[i], g = this.goids.length);
        this.goids.push(this.turn_g[i]);
      }
      this.turn_of[i] = g;
    }
    this.dense = dense;
    this.byGoroutine = group(this.turn_of, this.goids.length);
    const {first, rows} = this.byGoroutine;
    this.nameOf = this.goids.map((_, g) => this.turn_name[rows[first[g + 1] - 1]]);
  }

  // The turns of each P in order, and how long it was busy until each.
  findLanes() {
    const rowsOf = column => {
      const most = column.reduce((a, b) => Math.max(a, b), 0), {first, rows} = group(column, most + 1);
      return p => p > most ? rows.subarray(0, 0) : rows.subarray(first[p], first[p + 1]);
    };
    const turns = rowsOf(this.turn_p), calls = rowsOf(this.call_p), stops = rowsOf(this.stop_p), depths = rowsOf(this.depth_p);
    const inner = (rows, which) => ({rows, t: pick(this[which + '_t'], rows), e: pick(this[which + '_e'], rows)});
    this.lanes = [...new Set(this.turn_p)].sort((a, b) => a - b).map(p => {
      const rows = turns(p), t = pick(this.turn_t, rows), e = pick(this.turn_e, rows), busy = new Float64Array(rows.length + 1);
      for (let k = 0; k < rows.length; ++k) busy[k + 1] = busy[k] + e[k] - t[k];
      const queue = new Steps(pick(this.depth_t, depths(p)), pick(this.depth_v, depths(p)));
      return {p, rows, t, e, busy, queue, calls: inner(calls(p), 'call'), stops: inner(stops(p), 'stop')};
    });
  }

  // Between the turns of a goroutine, before the first and after the last: it waits until it is woken, then it could run.
  // Those of goroutine g begin at first[g] + g, so that gap k comes before its turn k.
  findGaps() {
    const {first, rows} = this.byGoroutine, groups = this.goids.length, n = rows.length + groups;
    this.gap_b = new Float64Array(n);  // begins
    this.gap_w = new Float64Array(n);  // woken
    this.gap_e = new Float64Array(n);  // its turn begins
    this.gap_r = new Uint16Array(n);   // why the turn before ended; no wait if wake == begin
    this.gap_k = new Int32Array(n).fill(-1);  // the row of the wake
    this.gap_g = new Uint32Array(n);
    const go = this.word.get('go'), ends = this.word.get('ends'), last = this.word.get('the trace ends');
    const free = new Set(['gives way', 'keeps its thread'].map(w => this.word.get(w)));
    this.unknown = this.names.length;
    this.names.push('before the trace');
    const lastWake = new Map();
    for (let i = 0; i < this.wake_g.length; ++i) lastWake.set(this.wake_g[i], i);
    for (let g = 0; g < groups; ++g) {
      for (let k = first[g]; k <= first[g + 1]; ++k) {
        const at = k + g;
        this.gap_g[at] = g;
        const before = k > first[g] ? rows[k - 1] : -1, after = k < first[g + 1] ? rows[k] : -1;
        let wake = after >= 0 ? this.turn_wake[after] : -1;
        const end = after >= 0 ? this.turn_t[after] : this.duration;
        if (before < 0) {
          const made = wake >= 0 && this.wake_by[wake] === go;
          this.gap_b[at] = made ? this.wake_t[wake] : wake >= 0 ? 0 : end;
          this.gap_w[at] = wake >= 0 ? this.wake_t[wake] : end;
          this.gap_r[at] = made ? go : this.unknown;
        } else {
          const why = this.turn_why[before], b = this.turn_e[before];
          if (after < 0 && (why === ends || why === last)) {
            this.gap_b[at] = this.gap_w[at] = this.gap_e[at] = b;
            this.gap_r[at] = why;
            continue;
          }
          if (after < 0) {
            wake = lastWake.get(this.goids[g]) ?? -1;
            if (wake >= 0 && this.wake_t[wake] < b) wake = -1;
          }
          this.gap_b[at] = b;
          this.gap_w[at] = free.has(why) ? b : wake >= 0 ? Math.min(Math.max(this.wake_t[wake], b), end) : end;
          this.gap_r[at] = why;
        }
        this.gap_e[at] = end;
        this.gap_k[at] = wake;
      }
    }
  }

  // How many goroutines are in which state, over time.
  findSeries() {
    const waits = new Map(), ready = new Stretches(), calls = new Stretches(), call = this.word.get('system call');
    for (let i = 0; i < this.call_t.length; ++i) calls.add(this.call_t[i], this.call_e[i]);
    for (let i = 0; i < this.gap_b.length; ++i) {
      const b = this.gap_b[i], w = this.gap_w[i], e = this.gap_e[i];
      if (w > b) {
        const r = this.gap_r[i];
        let to = r === call ? calls : waits.get(r);
        if (!to) waits.set(r, to = new Stretches());
        to.add(b, w);
      }
      if (e > w) ready.add(w, e);
    }
    const states = [...waits].map(([r, s]) => ({name: this.names[r], steps: s.steps(), wait: r}));
    states.sort((a, b) => b.steps.until(this.duration) - a.steps.until(this.duration));
    this.runs = Steps.ofStretches(this.turn_t, this.turn_e);
    this.calls = calls.steps();
    this.ready = ready.steps();
    this.states = [{name: 'running', steps: this.runs}, {name: 'could run', steps: this.ready},
                   {name: 'system call', steps: this.calls}, ...states];
    this.queued = Steps.sum(this.lanes.map(l => l.queue));
  }

  label(goid) {
    const g = this.dense.get(goid);
    return g === undefined ? 'goroutine ' + goid : shortName(this.names[this.nameOf[g]]) + ' · ' + goid;
  }

  // Who ended a gap, in words.
  waker(gap) {
    const k = this.gap_k[gap];
    if (k < 0) return this.gap_r[gap] === this.word.get('system call') && this.gap_e[gap] < this.duration ? wakerWords('return') : 'nobody yet';
    const by = this.names[this.wake_by[k]];
    if (by !== 'goroutine' && by !== 'go') return wakerWords(by);
    return this.wake_from[k] ? this.label(this.wake_from[k]) : 'a goroutine';
  }

  // What goroutine g does at t: {kind, ...} with the stretch in which it does.
  stateAt(g, t) {
    const {first, rows} = this.byGoroutine;
    let low = first[g], high = first[g + 1];
    while (low < high) {
      const mid = (low + high) >> 1;
      if (this.turn_t[rows[mid]] <= t) low = mid + 1; else high = mid;
    }
    if (low > first[g] && t < this.turn_e[rows[low - 1]]) {
      const row = rows[low - 1];
      return {kind: 'running', from: this.turn_t[row], to: this.turn_e[row], row};
    }
    const gap = low + g;
    if (t < this.gap_b[gap] || t >= this.gap_e[gap]) return {kind: 'none', from: low > first[g] ? this.turn_e[rows[low - 1]] : 0, to: t < this.gap_b[gap] ? this.gap_b[gap] : this.duration};
    if (t < this.gap_w[gap]) return {kind: 'waiting', from: this.gap_b[gap], to: this.gap_w[gap], gap};
    return {kind: 'could run', from: this.gap_w[gap], to: this.gap_e[gap], gap};
  }
}

// Who wakes, if that is no goroutine.
function wakerWords(by) {
  return {return: 'the call’s return', itself: 'itself: it need not wait', goroutine: 'a goroutine'}[by] ?? 'the ' + by;
}

// A function's name without what all have.
function shortName(name) {
  let s = name.replaceAll('(anonymous namespace)::', '').replace(/^gort::rt::/, '');
  while (/<[^<>]*>/.test(s)) s = s.replace(/<[^<>]*>/g, '');
  return s.replace(/\{lambda\([^)]*\)#(\d+)\}/g, 'λ$1').replace(/\([^()]*\)(?=::)/g, '').replace(/::operator$/, '') || name;
}

function timeText(ns) {
  const a = Math.abs(ns);
  const digits = x => Math.abs(x) >= 100 ? x.toFixed(0) : Math.abs(x) >= 10 ? x.toFixed(1) : x.toFixed(2);
  if (a >= 1e9) return digits(ns / 1e9) + ' s';
  if (a >= 1e6) return digits(ns / 1e6) + ' ms';
  if (a >= 1e3) return digits(ns / 1e3) + ' µs';
  return ns.toFixed(0) + ' ns';
}
