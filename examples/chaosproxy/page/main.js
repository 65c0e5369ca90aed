// The page: asks the server each second how things are, and shows it.
//
// It asks rather than listens: a stream of events would have it keep up with
// every single fault and connection of a load test, and browsers allow six
// connections to a server, for all tabs together. What happened while nobody
// asked, the server remembers.

import { actions } from './actions.js';
import { get, Refusal } from './api.js';
import { draw, series, span, spark } from './chart.js';
import { $, h, list, s, text } from './dom.js';
import { bytes, clock, count, duration, many, rate } from './format.js';
import { describe, levelOf } from './rules.js';

const mostProxies = 50;
const mostConnections = 50;

// state is what the server said last.
const state = {
  proxies: [], rules: [], connections: [], total: 0, scenario: {},
  began: 0, seconds: [], selected: null, seen: '', at: 0,
};
let chosen = null; // time of the second that is pointed out
let failing = 0; // since when nobody answers

const path = (name, rest = '') => `v1/proxies/${encodeURIComponent(name)}${rest}`;

async function refresh() {
  const { proxies } = await get('v1/proxies');
  state.proxies = proxies;
  if (!proxies.some((p) => p.name === state.selected)) state.selected = wanted() ?? proxies[0]?.name ?? null;
  await Promise.all([timeline(), scenario(), state.selected === null ? null : detail(state.selected)]);
  state.at = Date.now();
}

// wanted is the proxy that the address of the page names.
function wanted() {
  try {
    const name = decodeURIComponent(location.hash.slice(1));
    return state.proxies.some((p) => p.name === name) ? name : null;
  } catch {
    return null;
  }
}

async function timeline() {
  const names = new Set(shown().map((p) => p.name));
  if (state.selected !== null) names.add(state.selected);
  const seen = [...names].sort().join('\n');
  const after = seen === state.seen ? state.seconds.at(-1)?.number ?? 0 : 0;
  const query = new URLSearchParams({ after });
  for (const name of names) query.append('proxy', name);
  const said = await get(`page/timeline?${query}`);
  if (said.began !== state.began && after > 0) { // another run of the program
    state.began = said.began;
    state.seen = '';
    return timeline();
  }
  state.began = said.began;
  state.seen = seen;
  state.seconds = [...(after ? state.seconds : []), ...said.seconds].slice(-301);
}

async function scenario() {
  state.scenario = await get('v1/scenario');
}

async function detail(name) {
  const query = new URLSearchParams({ limit: mostConnections, match: $('connection-filter').value.trim() });
  try {
    const [rules, connections] = await Promise.all([get(path(name, '/rules')), get(path(name, `/connections?${query}`))]);
    if (state.selected !== name) return;
    Object.assign(state, { rules: rules.rules, connections: connections.connections, total: connections.total });
  } catch (err) {
    if (!(err instanceof Refusal && err.status === 404)) throw err;
    state.selected = null; // it has been removed meanwhile
  }
}

// shown are the proxies that are listed.
function shown() {
  const match = $('proxy-filter').value.trim().toLowerCase();
  return state.proxies.filter((p) => !match || `${p.name} ${p.listen} ${p.upstream}`.toLowerCase().includes(match)).slice(0, mostProxies);
}

// serverNow is the server's time, which a browser's clock need not have.
const serverNow = () => (state.seconds.length ? state.seconds.at(-1).end + Date.now() - state.at : Date.now());

const current = () => state.proxies.find((p) => p.name === state.selected);

function render() {
  $('main').hidden = false;
  const now = state.seconds.at(-1)?.end ?? Date.now();
  renderProxies(now);
  $('none').hidden = state.proxies.length > 0;
  const p = current();
  document.title = p ? `${p.name} · chaosproxy` : 'chaosproxy';
  $('detail').hidden = !p;
  if (p) {
    renderProxy(p, now);
    renderRules(p);
    renderConnections(p);
    renderLog(p);
  }
  renderScenario();
}

function renderProxies(now) {
  $('proxy-filter').hidden = state.proxies.length <= 8;
  const some = shown();
  list($('proxies'), some, (p) => p.name, (p) => h('li', {}, h('a', { href: `#${encodeURIComponent(p.name)}`, onclick: () => show(p.name) },
    h('span', { class: 'head' }, h('bdi', { class: 'name' }, p.name), h('span', { class: 'badge' })),
    h('span', { class: 'route mono' }),
    h('span', { class: 'foot' }, h('span', { class: 'rate' }), s('svg', { class: 'spark', 'aria-hidden': 'true' })))), (li, p) => {
    const a = li.firstElementChild;
    if (p.name === state.selected) a.setAttribute('aria-current', 'true');
    else a.removeAttribute('aria-current');
    const points = series(state.seconds, p.name);
    const last = points.at(-1);
    text(a.querySelector('.route'), `${p.listen} → ${p.upstream}`);
    text(a.querySelector('.rate'), last ? rate(last.up + last.down) : '');
    const on = (p.plan.rules ?? []).filter((r) => !r.off).length + (p.toxics ?? []).length + (p.behavior && p.behavior !== 'dummy' ? 1 : 0);
    const badge = a.querySelector('.badge');
    text(badge, !p.enabled ? 'not listening' : on ? many(on, 'fault') : '');
    badge.className = `badge ${!p.enabled ? 'off' : on ? 'bad' : ''}`;
    spark(a.querySelector('svg'), points, now, span(state.seconds));
  });
  const more = state.proxies.length - some.length;
  $('proxies-more').hidden = more === 0;
  text($('proxies-more'), `and ${count(more)} more`);
}

function renderProxy(p, now) {
  text($('name'), p.name);
  text($('listen'), p.listen);
  text($('upstream'), p.upstream);
  text($('revision'), p.revision);
  $('enabled').checked = p.enabled;
  act.showLevel(levelOf(state.rules));
  const points = series(state.seconds, p.name);
  const last = points.at(-1);
  text($('now-up'), rate(last?.up ?? 0));
  text($('now-down'), rate(last?.down ?? 0));
  text($('now-connections'), count(p.connections));
  text($('now-faults'), `${count(p.faults)}${last?.faults ? `, +${count(last.faults)}/s` : ''}`);
  const point = points.find((q) => q.at === chosen) ?? null;
  const places = draw($('chart'), points, now, span(state.seconds), point);
  $('chart').setAttribute('aria-label', `Timeline of ${p.name}: ${points.length} seconds, ${count(points.reduce((n, q) => n + q.faults, 0))} faults`);
  $('chart').dataset.points = points.length;
  readout(point);
  $('chart').onpointermove = (e) => {
    const box = $('chart').getBoundingClientRect();
    const at = (e.clientX - box.left) * ($('chart').viewBox.baseVal.width / box.width);
    pointOut(points, places.reduce((best, x, i) => (Math.abs(x - at) < Math.abs(places[best] - at) ? i : best), 0));
  };
  $('chart').onpointerleave = () => pointOut(points, -1);
  $('chart').onkeydown = (e) => {
    const i = points.findIndex((q) => q.at === chosen);
    const to = { ArrowLeft: i < 0 ? points.length - 1 : i - 1, ArrowRight: i + 1, Home: 0, End: points.length - 1, Escape: -1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    $('readout').setAttribute('aria-live', 'polite');
    pointOut(points, to);
  };
}

function pointOut(points, i) {
  const next = points[i]?.at ?? null;
  if (next === chosen) return;
  chosen = next;
  render();
}

function readout(p) {
  if (!p) {
    text($('readout'), 'Up is what clients send, down what comes back. Bars are faults that struck, dashed lines changes of the plan.');
    return;
  }
  const rules = Object.entries(p.strikes?.rules ?? {}).map(([name, n]) => `${name} ${count(n)}`).join(', ');
  text($('readout'), [clock(p.at), `up ${rate(p.up)}`, `down ${rate(p.down)}`, many(p.connections, 'connection'),
    p.faults ? `${many(p.faults, 'fault')}${rules && `: ${rules}`}` : 'no faults', p.changed ? 'the plan changed' : null].filter(Boolean).join(' · '));
}

function renderRules(p) {
  const planned = p.plan.rules?.length ?? 0;
  $('no-rules').hidden = state.rules.length > 0;
  const strikes = state.seconds.at(-1)?.proxies[p.name]?.strikes?.rules ?? {};
  list($('rules'), state.rules.map((r, i) => ({ ...r, ours: i < planned })), (r) => `${r.ours} ${r.name}`, (r) => {
    const box = h('input', { type: 'checkbox', role: 'switch', 'aria-label': `Rule ${r.name}`, onchange: () => act.switchRule(r.name, box.checked) });
    return h('li', {},
      r.ours ? h('label', { class: 'switch' }, box) : h('span', { class: 'badge' }, 'toxic or behavior'),
      h('div', { class: 'what' }, h('bdi', { class: 'name' }, r.name), h('span', { class: 'note' })),
      h('div', { class: 'hits' }, h('span', { class: 'number' }), h('span', { class: 'note' })),
      r.ours ? h('button', { type: 'button', class: 'quiet', 'aria-label': `Remove rule ${r.name}`, onclick: () => act.removeRule(r.name) }, 'Remove') : null);
  }, (li, r) => {
    const box = li.querySelector('input');
    if (box && !box.disabled) box.checked = !r.rule?.off;
    li.classList.toggle('off', Boolean(r.rule?.off));
    text(li.querySelector('.what .note'), describe(r.rule) || r.kind);
    text(li.querySelector('.hits .number'), many(r.hits, 'hit'));
    text(li.querySelector('.hits .note'), strikes[r.name] ? `+${count(strikes[r.name])}/s` : '');
  });
}

function renderConnections(p) {
  text($('connections-total'), count(p.connections));
  const now = serverNow();
  list($('connections').tBodies[0], state.connections, (c) => `${p.name} ${c.id}`, (c) => {
    const cell = (label, type) => h('td', { 'data-label': label, class: type });
    const button = (what, direction, label, says) => h('button', { type: 'button', class: 'small', 'aria-label': says, title: says, onclick: () => act.command(c.id, what, direction) }, label);
    return h('tr', {}, cell('#'), cell('client', 'mono'), cell('state'), cell('open for', 'number'), cell('idle', 'number'), cell('up', 'number'), cell('down', 'number'),
      h('td', { class: 'commands' },
        button('reset', null, 'Reset', `Reset connection ${c.id}`),
        ...['up', 'down'].flatMap((d) => [
          h('button', { type: 'button', class: `small hold ${d}`, onclick: (e) => act.command(c.id, e.target.dataset.command, d) }),
          button('step', d, `Step ${d === 'up' ? '↑' : '↓'}`, `Let one chunk ${d}, connection ${c.id}`),
        ])));
  }, (tr, c) => {
    const held = [c.heldUp && 'up', c.heldDown && 'down'].filter(Boolean).join(' and ');
    const values = [c.id, c.client, `${c.state}${held && `, held ${held}`}${c.faults ? `, ${many(c.faults, 'fault')}` : ''}`,
      duration(now - Date.parse(c.opened)), duration(now - Date.parse(c.active)), bytes(c.bytesUp), bytes(c.bytesDown)];
    values.forEach((v, i) => text(tr.cells[i], v));
    for (const d of ['up', 'down']) {
      const is = d === 'up' ? c.heldUp : c.heldDown;
      const hold = tr.querySelector(`.hold.${d}`);
      hold.dataset.command = is ? 'release' : 'hold';
      text(hold, `${is ? 'Release' : 'Hold'} ${d === 'up' ? '↑' : '↓'}`);
      hold.setAttribute('aria-label', `${is ? 'Release' : 'Hold'} ${d}, connection ${c.id}`);
    }
  });
  const more = state.total - state.connections.length;
  $('connections-more').hidden = more === 0 && state.total > 0;
  text($('connections-more'), state.total === 0 ? ($('connection-filter').value ? 'None matches.' : 'None is open.') : `and ${more.toLocaleString('en')} more: filter to see them`);
}

function renderLog(p) {
  const lines = [];
  for (const second of state.seconds.toReversed()) {
    const m = second.proxies[p.name];
    if (!m?.faults) continue;
    const events = m.strikes?.events ?? [];
    if (m.faults > events.length) lines.push({ key: `${second.number} more`, at: second.end, says: `and ${count(m.faults - events.length)} more` });
    events.toReversed().forEach((says, i) => lines.push({ key: `${second.number} ${i}`, at: second.end, says }));
    if (lines.length >= 100) break;
  }
  $('no-log').hidden = lines.length > 0;
  list($('log'), lines.slice(0, 100), (l) => `${p.name} ${l.key}`, (l) => h('li', {}, h('time', {}, clock(l.at)), ' ', l.says), () => {});
}

function renderScenario() {
  const last = state.scenario;
  $('stop-scenario').hidden = !last.running;
  const steps = last.scenario?.steps?.length;
  let says = 'None is running. A scenario is a timeline of plans: an outage of 30 seconds, a backend that gets slower.';
  if (last.running) says = `Running for ${duration(serverNow() - Date.parse(last.started))}: ${last.taken} steps taken${last.scenario.repeat ? `, ${steps} every ${last.scenario.repeat}` : ` of ${steps}`}.`;
  else if (last.started) says = `The last one began at ${clock(Date.parse(last.started))} and took ${many(last.taken, 'step')}.`;
  text($('scenario-says'), `${says}${last.error ? ` It failed: ${last.error}` : ''}`);
}

// poll asks and shows, again and again. Errors are shown, and it goes on.
let timer = 0;
let polling = null;
async function poll() {
  clearTimeout(timer);
  polling ??= refresh().then(() => {
    failing = 0;
    $('main').inert = false;
    render();
    text($('link'), 'live');
    $('link').className = 'live';
  }, (err) => {
    failing ||= Date.now();
    $('main').inert = true;
    text($('link'), err instanceof Refusal ? `the server says: ${err.message}` : `no answer since ${clock(failing)}, trying again`);
    $('link').className = 'lost';
  }).finally(() => { polling = null; });
  await polling;
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(poll, 1000);
}

// again is poll with answers that are newer than now.
async function again() {
  if (polling) await polling;
  await poll();
}

const act = actions({
  selected: () => state.selected,
  rules: () => state.rules,
  path,
  again,
  select: (name) => { location.hash = `#${encodeURIComponent(name)}`; },
});
$('skip').addEventListener('click', () => $('detail').focus());

function show(name) {
  if (name === null || name === state.selected) return;
  Object.assign(state, { selected: name, rules: [], connections: [], total: 0 });
  chosen = null;
  render();
  again();
}

addEventListener('hashchange', () => show(wanted()));
document.addEventListener('visibilitychange', () => { if (!document.hidden) poll(); });
new ResizeObserver(() => { if (current()) render(); }).observe($('chart'));
$('connection-filter').addEventListener('input', again);
$('proxy-filter').addEventListener('input', again);
poll();
